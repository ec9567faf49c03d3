/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place - where profiles live: HOME/profiles/NAME.
 *
 * Threads: any, but reads the environment.  All functions touch the disk, place_find() with one
 * small file.
 */
#ifndef CLIENT_LOCAL_PLACE_H
#define CLIENT_LOCAL_PLACE_H

#include "common/err.h"

enum { PLACE_NAME_SIZE = 33 };

/* What to do when a file of a profile is lost or damaged, a hint without arguments. */
#define PLACE_LOST_HINT                                                                            \
    "put it back from a backup of the profile, or make another profile with the recovery words: "  \
    "satchel recover --profile NAME"

struct place {
    char *home, *folder; /* the folder of the profile; both owned */
    char profile[PLACE_NAME_SIZE];
};

/*
 * NULL or "" take the defaults: ${home} from $SATCHEL_HOME, $XDG_DATA_HOME/satchel or
 * ~/.local/share/satchel, ${profile} from $SATCHEL_PROFILE, then the one that place_use() has
 * chosen, then "default".  ERR_INVALID: not a profile's name, or no home can be found; ERR_CORRUPT,
 * ERR_IO: what was chosen cannot be read.
 */
MUST_CHECK int place_find(const char *home, const char *profile, struct place *ret,
                          struct err *err);
void place_free(struct place *p); /* empties it */

/* Make the folder and those above, mode 0700 for new ones. */
MUST_CHECK int place_make(const struct place *p, struct err *err);

/* Call ${each} with the name of every profile of ${p}'s home, sorted. */
MUST_CHECK int place_each(const struct place *p, void (*each)(void *cookie, const char *name),
                          void *cookie, struct err *err);

/* The profile of ${p} is the one to use where none is named; durable. */
MUST_CHECK int place_use(const struct place *p, struct err *err);

/* The profile of ${p} is not, if it was. */
MUST_CHECK int place_use_no_more(const struct place *p, struct err *err);

#endif /* CLIENT_LOCAL_PLACE_H */
