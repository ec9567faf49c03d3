/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity - who the profile is: private keys, own manifests, and the next
 * encryption key when the newest one is near its end.
 *
 * Encryption keys (EK) last 30 days.  A new one is made when the newest ends
 * within 3 days: it is stored before the server hears of it (identity_plan),
 * and takes its place when the server has it (identity_promote).  Private
 * halves stay until nothing sealed to them can be open.
 *
 * Functions with a vault touch the disk: not for the loop thread.
 * Threads: one at a time while it is made or changed.  Afterwards it is shared
 * by reference among threads and does not change; a change loads another one.
 * Errors: those of vault.h and manifest_build.h.
 */
#ifndef CLIENT_LOCAL_IDENTITY_H
#define CLIENT_LOCAL_IDENTITY_H

#include <stdatomic.h>

#include "client/local/hedge.h"
#include "common/crypto/ed25519.h"
#include "common/transfer/chain.h"

enum { IDENTITY_KEYS_MAX = 64, IDENTITY_NAME_SIZE = 64 };

#define IDENTITY_DAY_MS   ((uint64_t)24 * 3600 * 1000)
#define IDENTITY_EPOCH_MS (30 * IDENTITY_DAY_MS) /* an EK's life */
#define IDENTITY_EARLY_MS (3 * IDENTITY_DAY_MS)  /* its successor comes so long before its end */

struct identity_key {
    struct secret key; /* X25519, private */
    uint64_t not_before, not_after;
    struct ek_id id;
};

/* What the machine of one of our devices is called. */
struct identity_name {
    struct device_id device;
    char name[IDENTITY_NAME_SIZE]; /* UTF-8 without control characters */
};

struct identity {
    atomic_uint refs;
    char username[IDS_USERNAME_TEXT], email[IDS_EMAIL_TEXT], uid_text[IDS_UID_TEXT];
    struct server_id server;
    struct uid uid;
    struct device_id device;
    struct secret isk, dsk, hedge; /* Ed25519 seeds; k_hedge */
    struct ed25519_key *signer;    /* dsk again, made ready to sign */
    struct identity_key keys[IDENTITY_KEYS_MAX];
    size_t n_keys;                /* oldest first */
    struct chain chain;           /* own manifests */
    struct secret recovery;       /* seed; empty once its words have been shown */
    bool has_box;                 /* users of earlier versions have none */
    uint8_t box[IDS_KEY_LEN];     /* public; what opens the account record comes from the seed */
    struct identity_key next_key; /* that `next` adds; empty if it adds none */
    struct manifest *next;        /* on its way to the server, or NULL */
    struct identity_name names[MANIFEST_DEVICES_MAX];
    size_t n_names;
};

struct identity_plan {
    const char *username, *email; /* checked by the caller */
    struct server_id server;
    uint64_t now;
};

/* Draw all keys of a new user and make the first manifest; counts in ${v}, whose lock is held. */
MUST_CHECK int identity_make(const struct identity_plan *plan, struct vault *v,
                             struct identity **ret, struct err *err);

/*
 * The same for a user who comes back with the recovery seed: all keys are new but the encryption
 * keys ${keys}, which are moved, oldest first; ${chain} is moved as well.  The newest manifest is
 * then a succession that revokes all other devices: it counts when the server has it.  It names the
 * account record, so that this one stays good although its device is revoked now.
 */
struct identity_recovery {
    const struct secret *seed;
    struct chain *chain;
    struct identity_key *keys;
    size_t n_keys;
    const struct hash32 *account; /* the record that they come from; NULL: there is none */
};
MUST_CHECK int identity_recover(const struct identity_plan *plan, struct identity_recovery *r,
                                struct vault *v, struct identity **ret, struct err *err);

/*
 * The same for a new device of a user, with what another device has told it (join.h), which is
 * moved: all but the hedge key, which each device has for itself.  The chain lists the device.
 */
struct identity_joining {
    struct secret *isk, *dsk;
    struct chain *chain;
    struct identity_key *keys; /* oldest first, one at least */
    size_t n_keys;
    const uint8_t *box; /* IDS_KEY_LEN, of account records; NULL: there is none */
};
MUST_CHECK int identity_join(const struct identity_plan *plan, struct identity_joining *j,
                             struct identity **ret, struct err *err);

/* From and to the vault, whose lock is held for saving; references are counted. */
MUST_CHECK int identity_load(struct vault *v, struct identity **ret, struct err *err);
MUST_CHECK int identity_save(const struct identity *id, struct vault *v, struct err *err);
struct identity *identity_ref(struct identity *id);
void identity_unref(struct identity *id); /* the last one wipes; NULL is fine */

/* The private key with this ID; NULL: not ours, or erased. */
const struct secret *identity_ek(const struct identity *id, const struct ek_id *ek);

/* For those who fill one in that has no device yet: move its key there, with all that follows. */
MUST_CHECK int identity_take_device(struct identity *id, struct secret *dsk, struct err *err);

/* Does the newest EK end so soon that another one is due, or is one on its way? */
bool identity_due(const struct identity *id, uint64_t now);

/* What the next manifest changes; zeros: a fresh EK, as every 30 days. */
struct identity_change {
    /* A device that is revoked from `now` on; then the earlier EKs, which it knows, are not
     * listed any more.  Our own: they stay, and none is drawn. */
    const struct device_id *revoke;
    /* A device that is listed from `now` on; then no EK is drawn. */
    const struct manifest_device *add;
};

/*
 * Draw the next EK and make the manifest with the change, unless one is on its way already; not
 * saved yet.  ERR_NOTFOUND: no such device; ERR_REVOKED: it is revoked already; ERR_LIMIT: 64
 * devices are in use.
 */
MUST_CHECK int identity_plan(struct identity *id, const struct identity_change *change,
                             struct hedge *h, uint64_t now, struct err *err);

/*
 * The server has `next`: it becomes the newest.  Keys to which nothing open
 * can be sealed any more, with transfers that live ${max_lifetime} ms, are erased; not saved yet.
 */
MUST_CHECK int identity_promote(struct identity *id, uint64_t now, uint64_t max_lifetime,
                                struct err *err);

/* The server will not have `next`: forget it, and the key it adds; not saved yet. */
void identity_drop_next(struct identity *id);

/* Does `next` list a device that the newest does not? */
bool identity_next_adds(const struct identity *id);

/*
 * What another device of ours has published: take the next manifest, which becomes the newest.
 * Ours that was on its way is promoted if it is this one, dropped if it came too late; not saved
 * yet.  ${m} is taken, also on failure.
 */
MUST_CHECK int identity_follow(struct identity *id, struct manifest *m, struct err *err);

/*
 * Take those of ${keys} (moved) that one of our manifests lists and that are not here yet; how many
 * they were is returned.  Not saved yet.
 */
size_t identity_take_keys(struct identity *id, struct identity_key *keys, size_t n);

/* Is the newest EK that others seal to without its private half here? */
bool identity_lacks_key(const struct identity *id);

/* Can it be the name of a device: at most 63 bytes of UTF-8 without control characters? */
bool identity_name_fits(const char *name);

/* The name of a device, "" if it is not known; and keep one, the oldest give way. */
const char *identity_name(const struct identity *id, const struct device_id *device);
void identity_keep_name(struct identity *id, const struct device_id *device, const char *name);

/* Are there such keys?  Then erase them; not saved yet. */
bool identity_has_old(const struct identity *id, uint64_t now, uint64_t max_lifetime);
void identity_erase_old(struct identity *id, uint64_t now, uint64_t max_lifetime);

#endif /* CLIENT_LOCAL_IDENTITY_H */
