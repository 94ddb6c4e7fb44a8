/* Names that people give to the columns of a log. */
#ifndef PEN_DATA_ROLES_H
#define PEN_DATA_ROLES_H

#include "base/text.h"

/* How well a column's name fits a role of enum pen__role: 2 its own word, 1 a word that will do where there is no
 * better one, 0 not at all. Case, blanks, dots, dashes and underscores do not matter. */
int pen__role_tier(int role, pen__span name);

#endif
