/* SPDX-License-Identifier: Apache-2.0 */
/* contacts - what the calls about people share.  They touch the disk. */
#ifndef CLIENT_OP_CONTACTS_H
#define CLIENT_OP_CONTACTS_H

#include "client/core/handle.h"
#include "client/local/contact.h"

/* ${c} with its newest manifest as the caller sees it. */
MUST_CHECK int contacts_show(const struct contact *c, const struct manifest *newest,
                             const struct identity *me, struct satchel_contact *ret,
                             struct err *err);

/* Whom ${who} means, without the server: by name, user ID or username.  ERR_NOTFOUND. */
MUST_CHECK int contacts_locate(struct satchel *s, const char *who, struct uid *ret_uid,
                               struct err *err);

/* Allocated, and so are its strings. */
struct contacts_list {
    char **who;
    size_t n;
};

/*
 * Whom to send to: WHO for each of ${who}, in which names of groups were replaced by the user IDs
 * of their members.  ${ret} is the caller's.  ERR_LIMIT: over ${max}; ERR_NOTFOUND: a group with
 * nobody in it; ERR_REFUSED: a name that is still coming back.
 */
MUST_CHECK int contacts_expand(struct vault *v, const struct contacts_list *who, size_t max,
                               struct contacts_list *ret, struct err *err);

#endif /* CLIENT_OP_CONTACTS_H */
