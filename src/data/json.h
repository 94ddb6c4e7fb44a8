/* One JSON object after another, without a tree: the members of an object as they come. What JSON lines need, at
 * reading speed; everything else in the project parses JSON with jansson.
 *
 *     pen__json json = {.at = line, .end = end, .scratch = room};   // room: as many bytes as the line has
 *     if (pen__json_open(&json))
 *         while (pen__json_member(&json, &key, &value)) ...         // json.type tells what the value is
 *     if (json.fault) ...                                           // at json.at
 */
#ifndef PEN_DATA_JSON_H
#define PEN_DATA_JSON_H

#include "base/text.h"

enum pen__json_type {
    PEN_JSON_NULL = 0,
    PEN_JSON_STRING = 1,
    PEN_JSON_NUMBER = 2,
    PEN_JSON_BOOL = 3,
    PEN_JSON_LIST =
        4, /* of scalars: the value is their texts parted by PEN_JSON_PART; null and nested ones are left out */
    PEN_JSON_OBJECT = 5 /* the value is its text as it stands */
};

enum { PEN_JSON_PART = '\x1F' };

typedef struct pen__json {
    const char *at, *end;
    char *scratch; /* moves on: strings that had escapes, and lists, are written here */
    int type;
    bool first;        /* no member was read yet */
    const char *fault; /* what is wrong at `at`, or NULL */
} pen__json;

/* Enters the object; false (with a fault) where there is none. */
bool pen__json_open(pen__json *json);

/* The next member; false at the object's end, behind which only blanks may stand, and at a fault. */
bool pen__json_member(pen__json *json, pen__span *key, pen__span *value);

#endif
