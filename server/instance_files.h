/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance_files - the weight files of a deployment's key networks (FORMATS.md section 12).
 *
 * keynet.weights is the current one; satcheld train leaves another in keynet.next; those that were
 * current before are in the folder of old ones, under their IDs.  Each change is one rename that
 * counts when the folder is synced: a crash leaves the instance that was there, or the new one
 * with the old one beside it.
 *
 * Threads: one at a time; all calls but close block on the disk.
 */
#ifndef SERVER_INSTANCE_FILES_H
#define SERVER_INSTANCE_FILES_H

#include <stdint.h>

#include "common/transfer/share.h"
#include "models/keynet.h"

struct instance_files;

/*
 * Borrowed for the call.  Where nothing is ever rotated all but ${weights} are NULL.  Cards are
 * for people: the one that was trained with ${next} follows it.
 */
struct instance_paths {
    const char *weights, *next, *old, *card, *next_card;
};

/* An instance from its file.  Zero-initialise; net is the caller's to free. */
struct instance_loaded {
    struct keynet *net;
    struct instance_id id;
    uint64_t made; /* when its file was written, ms since 1970 */
};

/* Also ends removals that were under way when the daemon stopped.  ERR_NOMEM, ERR_IO. */
MUST_CHECK int instance_files_open(struct instance_files **ret_f, const struct instance_paths *p,
                                   struct err *err);
void instance_files_close(struct instance_files *f); /* NULL is fine */

/* The current instance, which has computed what it must: as keynet_load(), keynet_self_test(). */
MUST_CHECK int instance_files_current(const struct instance_files *f, struct instance_loaded *ret,
                                      struct err *err);

struct instance_ids {
    struct instance_id *ids; /* the caller's, with room for ${max} */
    size_t max, n;
};

/*
 * IDs of the old ones but ${current}, in no order.  ERR_LIMIT: more than there is room for; ERR_IO.
 * Load one of them as the current one; ERR_CORRUPT also when it is not the one of its name.
 */
MUST_CHECK int instance_files_list(const struct instance_files *f,
                                   const struct instance_id *current, struct instance_ids *ret,
                                   struct err *err);
MUST_CHECK int instance_files_old(const struct instance_files *f, const struct instance_id *id,
                                  struct instance_loaded *ret, struct err *err);

/* The one that waits, not tested.  ERR_NOTFOUND: none does. */
MUST_CHECK int instance_files_peek(const struct instance_files *f, struct instance_loaded *ret,
                                   struct err *err);

/*
 * To change: take the one that waits out of the trainer's reach and test it (ERR_NOTFOUND: none
 * waits); then make it the current one, with ${current} among the old ones, durably.  A failure of
 * the second may leave either as the current one, and both on the disk.
 */
MUST_CHECK int instance_files_take(const struct instance_files *f, struct instance_loaded *ret,
                                   struct err *err);
MUST_CHECK int instance_files_switch(const struct instance_files *f,
                                     const struct instance_id *current, struct err *err);

/* Overwrite and remove the old one ${id}.  When it fails half done, the next open ends it. */
MUST_CHECK int instance_files_remove(const struct instance_files *f, const struct instance_id *id,
                                     struct err *err);

#endif /* SERVER_INSTANCE_FILES_H */
