/* Names of columns, by role. Prices, amounts and quantities are left out on purpose: they look like values and are not.
 */
#include "data/roles.h"

#include <string.h>

#include "data/layout.h"

const char *const pen__role_words[] = {"user", "item", "value", "time", "event", "context"};

static const char *const own[5][32] = {
    [PEN_ROLE_USER] = {"user", "userid", "uid", "users", "customer", "customerid"},
    [PEN_ROLE_ITEM] = {"item", "itemid", "iid", "items", "movie", "movieid", "product", "productid", "film", "filmid"},
    [PEN_ROLE_VALUE] = {"rating", "ratings", "value", "score", "stars"},
    [PEN_ROLE_TIME] = {"timestamp", "time", "date", "datetime", "ts"},
    [PEN_ROLE_EVENT] = {"event", "eventtype", "action", "actiontype", "behavior", "behaviour", "behaviortype",
                        "behaviourtype"},
};

static const char *const other[5][48] = {
    [PEN_ROLE_USER] = {"visitor", "visitorid", "session", "sessionid", "member", "memberid", "reviewerid", "reviewer",
                       "account", "accountid", "client", "clientid", "buyer", "buyerid", "profileid", "subscriberid",
                       "playerid", "readerid", "listenerid"},
    [PEN_ROLE_ITEM] = {"artist",   "artistid",   "song",    "songid",     "track",        "trackid",    "book",
                       "bookid",   "isbn",       "asin",    "parentasin", "sku",          "article",    "articleid",
                       "news",     "newsid",     "video",   "videoid",    "business",     "businessid", "game",
                       "gameid",   "app",        "appid",   "poi",        "poiid",        "venue",      "venueid",
                       "location", "locationid", "album",   "albumid",    "recipe",       "recipeid",   "post",
                       "postid",   "adid",       "animeid", "anime",      "restaurantid", "hotelid",    "jobid",
                       "stockcode"},
    [PEN_ROLE_VALUE] = {"overall", "plays", "playcount", "listens", "listencount", "frequency", "freq", "preference",
                        "label", "bookrating", "weight", "count", "cnt"},
    [PEN_ROLE_TIME] = {"eventtime", "eventtimestamp", "createdat", "unixreviewtime", "unixtime", "unixtimestamp",
                       "reviewtime", "timestampms", "ratedat", "visitedat", "clickedat", "purchasedat", "when",
                       "orderdate", "purchasedate", "invoicedate", "transactiondate", "playedat", "listenedat"},
    [PEN_ROLE_EVENT] = {"eventname", "interaction", "interactiontype", "activity", "activitytype", "type"},
};

static bool among(const char *name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n && list[i]; i++)
        if (!strcmp(name, list[i])) return true;
    return false;
}

int pen__role_tier(int role, pen__span name)
{
    char plain[32];
    size_t n = 0;
    for (size_t i = 0; i < name.length; i++) {
        char c = name.text[i];
        if (c == '_' || c == '-' || c == '.' || c == ' ' || c == '\t' || c == '"') continue;
        if (n + 1 >= sizeof plain) return 0;
        plain[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    plain[n] = 0;
    if (role < 0 || role >= 5 || !n) return 0;
    return among(plain, own[role], 32) ? 2 : among(plain, other[role], 48) ? 1 : 0;
}
