/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a transfer after it was sent.  Rules: satchel.h. */
#ifndef SATCHEL_LIFE_H
#define SATCHEL_LIFE_H

#include "get.h"

#ifdef __cplusplus
extern "C" {
#endif

struct satchel_revoked {
    char id[SATCHEL_ID_SIZE];
    uint32_t revoked; /* recipients from whom it is taken, by this call or before */
    uint32_t opened;  /* recipients who were given the key before: they may have the file */
    bool already;     /* nothing has changed: nobody meant could open it any more */
};

struct satchel_revoke_options {
    const char *id;          /* or a unique prefix; sent by us */
    const char *const *from; /* WHO; none: everybody, and our own copy */
    size_t from_count;       /* at most 257 */
    void *cookie;
    satchel_recipient_cb *on_recipient; /* every recipient, as it is then; NULL: none */
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_revoked *r);
};

/*
 * Revoke: the server destroys what the recipients' keys are regenerated from,
 * before it answers.  Future opens are stopped for good; what was opened
 * cannot be taken back.  Repeating it is harmless.  SATCHEL_E_NOTFOUND: no
 * such transfer, or somebody named is no recipient (then nothing is revoked);
 * SATCHEL_E_REFUSED: it was sent to us, not by us.
 */
SATCHEL_API int satchel_revoke_start(struct satchel *s, const struct satchel_revoke_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_extended {
    char id[SATCHEL_ID_SIZE];
    uint64_t before, expires; /* the end it had, the end it has */
};

struct satchel_extend_options {
    const char *id;    /* or a unique prefix; sent by us */
    uint64_t lifetime; /* from now on; 0: `expires` */
    uint64_t expires;  /* with lifetime 0: the end itself */
    void *cookie;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_extended *r);
};

/*
 * Give a transfer another end, later or earlier, before it has passed.
 * SATCHEL_E_INVALID: both or none of `lifetime` and `expires`;
 * SATCHEL_E_TOOLARGE: beyond the server's longest lifetime, counted from when
 * it was sent; SATCHEL_E_EXPIRED: too late; SATCHEL_E_NOTFOUND: no such
 * transfer; SATCHEL_E_REFUSED: it was sent to us, not by us.  Nobody can open
 * it any more, which stays so:
 * SATCHEL_E_REVOKED: it was revoked from all; SATCHEL_E_SPENT: all opens are
 * used up; SATCHEL_E_REFUSED: for several reasons, or it was deleted.
 * SATCHEL_E_BADSTATE, SATCHEL_E_EXISTS: it changed meanwhile, ask again.
 */
SATCHEL_API int satchel_extend_start(struct satchel *s, const struct satchel_extend_options *o,
                                     struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_LIFE_H */
