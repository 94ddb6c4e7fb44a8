/* Pictures of results, as SVG. */
#ifndef PEN_CLI_PLOT_H
#define PEN_CLI_PLOT_H

#include "cli.h"

/* A comparison: a panel a metric, a dot and its interval a model. Returns an exit status. */
int plot_report(const call *c, const char *json, const char *path);

/* How popular items are: the share of events of the most popular share of items, and events by rank. */
int plot_popularity(const call *c, const char *json, const char *path);

#endif
