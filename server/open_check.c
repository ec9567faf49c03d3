/* SPDX-License-Identifier: Apache-2.0 */
#include "server/open_check.h"

#include <string.h>

#include "common/transfer/header.h"
#include "server/call.h"
#include "server/daemon.h"

static int check_times(const Satchel__OpenTransfer *msg, const struct settings *set,
                       struct err *err)
{
    uint64_t now = daemon_time();

    if (!call_time_is_near(msg->created))
        return err_set(err, ERR_INVALID, "created is more than 24 hours from the daemon's time");
    if (msg->expires <= now || msg->expires <= msg->created)
        return err_set(err, ERR_INVALID, "expires has passed");
    if (msg->expires - msg->created < set->min_lifetime)
        return err_set(err, ERR_INVALID, "expires is too early");
    if (msg->expires - msg->created > set->max_lifetime)
        return err_set(err, ERR_TOOLARGE, "expires is beyond the longest lifetime");
    return ERR_OK;
}

static int check_numbers(const Satchel__OpenTransfer *msg, const struct settings *set,
                         struct err *err)
{
    if ((msg->policy_flags & ~(uint32_t)HEADER_POLICY_KNOWN) != 0)
        return err_set(err, ERR_UNSUPPORTED, "unknown policy bit");
    if (msg->body_length > set->max_transfer || msg->body_length >= HEADER_BODY_MAX)
        return err_set(err, ERR_TOOLARGE, "body_length is over the daemon's limit");
    if (msg->n_recipients == 0)
        return err_set(err, ERR_INVALID, "recipients are missing");
    if (msg->n_recipients > set->max_recipients + 1)
        return err_set(err, ERR_TOOLARGE, "more recipients than the daemon's limit");
    return ERR_OK;
}

/* Recipient ${i} has fields of the right size, and no earlier one is the same user. */
static int check_recipient(const Satchel__OpenTransfer *msg, size_t i, struct err *err)
{
    const Satchel__Recipient *r = msg->recipients[i];

    if (r->user_id.len != IDS_UID_LEN || r->ek_id.len != IDS_EK_LEN)
        return err_set(err, ERR_INVALID, "recipients: user_id or ek_id has the wrong size");
    if (r->role != SATCHEL__ROLE__RECIPIENT && r->role != SATCHEL__ROLE__SENDER &&
        r->role != SATCHEL__ROLE__BOTH)
        return err_set(err, ERR_UNSUPPORTED, "recipients: unknown role");
    if (r->known_manifest.len != 0 && r->known_manifest.len != STORE_HASH_LEN)
        return err_set(err, ERR_INVALID, "recipients: known_manifest has the wrong size");
    for (size_t j = 0; j < i; j++)
        if (memcmp(msg->recipients[j]->user_id.data, r->user_id.data, IDS_UID_LEN) == 0)
            return err_set(err, ERR_INVALID, "recipients: the same user twice");
    return ERR_OK;
}

static int check_recipients(const Satchel__OpenTransfer *msg, const struct uid *sender,
                            struct err *err)
{
    size_t senders = 0;

    for (size_t i = 0; i < msg->n_recipients; i++) {
        const Satchel__Recipient *r = msg->recipients[i];
        int rc = check_recipient(msg, i, err);
        bool self;

        if (rc != ERR_OK)
            return rc;
        self = memcmp(r->user_id.data, sender->b, IDS_UID_LEN) == 0;
        if (self != (r->role != SATCHEL__ROLE__RECIPIENT))
            return err_set(err, ERR_INVALID, "recipients: the sender's role is the caller's alone");
        senders += self;
    }
    if (senders != 1)
        return err_set(err, ERR_INVALID, "recipients: the sender is missing");
    return ERR_OK;
}

int open_check(const Satchel__OpenTransfer *msg, const struct settings *set,
               const struct uid *caller, struct err *err)
{
    int rc = check_numbers(msg, set, err);

    if (rc == ERR_OK)
        rc = check_times(msg, set, err);
    return rc == ERR_OK ? check_recipients(msg, caller, err) : rc;
}
