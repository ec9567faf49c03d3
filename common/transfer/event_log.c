/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/event_log.h"

#include "common/crypto/hash.h"
#include "common/transfer/wire.h"

#define BYTES(field, member, len)                                                                  \
    WIRE_FIELD(Satchel__EventHead, field, struct event_log_head, member, len)

static const struct wire_field bytes_fields[] = {
    BYTES(server_id, server.b, IDS_SERVER_LEN),
    BYTES(tid, tid.b, IDS_TID_LEN),
    BYTES(hash, hash.b, IDS_HASH_LEN),
};
enum { N_BYTES = sizeof(bytes_fields) / sizeof(bytes_fields[0]) };

const char *event_log_name(unsigned kind)
{
    static const char *const names[] = {
        [EVENT_LOG_STORED] = "stored",         [EVENT_LOG_RELEASED] = "released",
        [EVENT_LOG_GIVEN_BACK] = "given-back", [EVENT_LOG_COMMITTED] = "committed",
        [EVENT_LOG_RECEIVED] = "received",     [EVENT_LOG_EXPIRED] = "expired",
        [EVENT_LOG_REVOKED] = "revoked",       [EVENT_LOG_DELETED] = "deleted",
        [EVENT_LOG_EXTENDED] = "extended",
    };

    return kind < sizeof(names) / sizeof(names[0]) && names[kind] != NULL ? names[kind] : "unknown";
}

int event_log_hash(const struct tid *tid, const struct event_log_row *row,
                   const struct hash32 *prev, struct hash32 *ret)
{
    struct buf b = {0};
    int rc;

    buf_lp_str(&b, "satchel/1 event");
    buf_put(&b, prev->b, sizeof(prev->b));
    buf_put(&b, tid->b, sizeof(tid->b));
    buf_u32(&b, row->number);
    buf_u64(&b, row->time);
    buf_u16(&b, row->kind);
    buf_put(&b, row->uid.b, sizeof(row->uid.b));
    buf_lp(&b, row->data.data, row->data.len);
    rc = buf_check(&b, NULL);
    if (rc == ERR_OK)
        rc = hash_sha256(ret->b, b.data, b.len);
    buf_free(&b);
    return rc;
}

int event_log_head_pack(const struct event_log_head *head, struct buf *out, struct err *err)
{
    Satchel__EventHead msg = SATCHEL__EVENT_HEAD__INIT;

    wire_put(&msg.base, bytes_fields, N_BYTES, head);
    msg.version = EVENT_LOG_VERSION;
    msg.number = head->number;
    msg.time = head->time;
    return wire_pack(&msg.base, out, err);
}

int event_log_head_read(struct part body, struct event_log_head *ret, struct err *err)
{
    Satchel__EventHead *msg = NULL;
    int rc = wire_unpack(&satchel__event_head__descriptor, body, EVENT_LOG_HEAD_MAX, &msg, err);

    if (rc != ERR_OK)
        return rc;
    if (msg->version != EVENT_LOG_VERSION)
        rc = err_set(err, ERR_UNSUPPORTED, "EventHead.version: %u is not known", msg->version);
    else
        rc = wire_check(&msg->base, bytes_fields, N_BYTES, err);
    if (rc == ERR_OK) {
        wire_get(&msg->base, bytes_fields, N_BYTES, ret);
        ret->version = msg->version;
        ret->number = msg->number;
        ret->time = msg->time;
    }
    satchel__event_head__free_unpacked(msg, NULL);
    return rc;
}
