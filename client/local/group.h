/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group - several contacts under one name.  A group holds user IDs: renaming a
 * contact changes nothing in it.  No contact is called like a group, nor like one with nobody in
 * it: what is sent there must not go to a stranger of that name.
 *
 * All functions touch the disk: not for the loop thread.  Threads: any.
 * Errors: those of vault.h; ERR_CORRUPT for a group that does not hold together.
 */
#ifndef CLIENT_LOCAL_GROUP_H
#define CLIENT_LOCAL_GROUP_H

#include "client/local/contact.h"

enum { GROUP_MAX = 256 }; /* members */

struct group {
    char name[CONTACT_NAME_SIZE];
    struct uid members[GROUP_MAX];
    size_t n;
};

/* False also when it cannot be read. */
bool group_exists(struct vault *v, const char *name);

/* ERR_NOTFOUND. */
MUST_CHECK int group_load(struct vault *v, const char *name, struct group *ret, struct err *err);

/*
 * Put ${uid} into a group or take it out; the first member makes the group, and it stays when the
 * last one has left.  The caller holds the lock.  ERR_NOTFOUND: no such group or member, when it is
 * to be taken out; ERR_EXISTS: a contact has the name; ERR_INVALID: not a name; ERR_LIMIT:
 * GROUP_MAX.
 */
MUST_CHECK int group_add(struct vault *v, const char *name, const struct uid *uid, struct err *err);
MUST_CHECK int group_remove(struct vault *v, const char *name, const struct uid *uid,
                            struct err *err);

/* Make a group with nobody in it, if it is not there.  The caller holds the lock.  As above. */
MUST_CHECK int group_make(struct vault *v, const char *name, struct err *err);

/* The group itself goes.  The caller holds the lock.  ERR_NOTFOUND. */
MUST_CHECK int group_delete(struct vault *v, const char *name, struct err *err);

/* Take ${uid} out of all groups.  The caller holds the lock. */
MUST_CHECK int group_forget(struct vault *v, const struct uid *uid, struct err *err);

/* Call ${each} for all, in no order. */
typedef int group_each_cb(void *cookie, const struct group *g, struct err *err);
MUST_CHECK int group_each(struct vault *v, group_each_cb *each, void *cookie, struct err *err);

#endif /* CLIENT_LOCAL_GROUP_H */
