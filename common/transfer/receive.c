/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/receive.h"

#include "common/crypto/hash.h"

/* What came is malformed: for the recipient that is not his mistake but broken integrity. */
static int received(int rc, struct err *err)
{
    if (rc != ERR_INVALID)
        return rc;
    if (err != NULL)
        err->code = ERR_INTEGRITY;
    return ERR_INTEGRITY;
}

int receive_peek(struct part header, struct part slot, struct receive_claim *ret_claim,
                 struct err *err)
{
    struct header h;
    struct slot s;
    int rc = header_parse(header, &h, err);

    if (rc == ERR_OK)
        rc = slot_parse(slot, &s, err);
    if (rc != ERR_OK)
        return received(rc, err);
    *ret_claim = (struct receive_claim){
        .sender = h.sender, .tid = h.tid, .manifest = h.manifest, .ek_id = s.ek_id};
    return ERR_OK;
}

/* Step 1: the sender's manifest and in it the device. */
static int check_sender(const struct receive_in *in, struct receive *r,
                        const struct manifest_device **ret_device, struct err *err)
{
    const struct header *h = &r->header;
    const struct manifest *m = chain_find(in->chain, &h->manifest);
    const struct manifest_device *d = NULL;
    uint64_t revoked;
    int rc;

    if (memcmp(&in->chain->uid, &h->sender, sizeof(h->sender)) != 0)
        return err_set(err, ERR_INTEGRITY, "Header.sender: not whose manifests these are");
    if (m == NULL)
        return err_set(err, ERR_INTEGRITY, "Header.manifest: not one of the sender's manifests");
    rc = manifest_device_at(m, &h->device, h->created, &d, err);
    if (rc == ERR_NOTFOUND)
        return err_set(err, ERR_INTEGRITY, "Header.device: not a device of the sender");
    if (rc != ERR_OK)
        return rc;
    /* It may have been revoked by a later manifest, and for an earlier time. */
    if (chain_device_revoked(in->chain, &h->device, &revoked)) {
        if (revoked <= h->created)
            return err_set(err, ERR_REVOKED, "the sender's device was revoked");
        r->device_revoked_since = true;
    }
    *ret_device = d;
    return ERR_OK;
}

/* Step 3, behind the signature. */
static int check_form(const struct receive_in *in, struct receive *r, struct err *err)
{
    struct slot_proof proof = {
        .slot = in->slot, .index = in->slot_index, .path = in->proof, .path_len = in->n_proof};
    int rc = header_check(&r->header, err);

    if (rc == ERR_OK)
        rc = slot_parse(in->slot, &r->slot, err);
    if (rc == ERR_OK)
        rc = slot_in_root(&proof, &r->header, err);
    return received(rc, err);
}

int receive_origin(const struct receive_in *in, struct receive *r, struct err *err)
{
    const struct manifest_device *device = NULL;
    int rc = header_parse(in->header, &r->header, err);

    if (rc == ERR_OK)
        rc = check_sender(in, r, &device, err);
    if (rc == ERR_OK)
        rc = header_verify(in->header, in->signature, device->key, err);
    if (rc != ERR_OK)
        return received(rc, err);
    if (header_hash(in->header, &r->header_hash) != ERR_OK)
        return err_set(err, ERR_INTERNAL, "cannot hash a header");
    /* Whoever has the device can date its transfers back. */
    if (r->device_revoked_since && in->seen == NULL &&
        memcmp(&r->header.sender, in->me, sizeof(*in->me)) != 0) {
        err_set(err, ERR_REVOKED, "signed by a device that its owner has revoked since");
        err_hint(err, "ask the sender to send it again");
        return ERR_REVOKED;
    }
    return check_form(in, r, err);
}

/* Steps 4 and 5.  That it expires behind its creation is checked with the form. */
static int check_time(const struct receive_in *in, const struct receive *r, struct err *err)
{
    const struct header *h = &r->header;

    if (h->created > in->now && h->created - in->now > RECEIVE_CLOCK_MS) {
        err_set(err, ERR_REFUSED, "the transfer was made more than a day in the future");
        err_hint(err, "check the clock of this machine");
        return ERR_REFUSED;
    }
    if ((in->expires != 0 ? in->expires : h->expires) <= in->now)
        return err_set(err, ERR_EXPIRED, "the transfer expired");
    if (in->seen != NULL && memcmp(in->seen, &r->header_hash, sizeof(r->header_hash)) != 0)
        return err_set(err, ERR_INTEGRITY, "another header was seen for this transfer");
    return ERR_OK;
}

static int open_slot(const struct receive_in *in, const struct receive *r, enum share_part part,
                     const struct secret *share, struct secret *ret_key, struct err *err)
{
    struct slot_open open = {.header = &r->header, .to = in->me, .slot = &r->slot, .ek = in->ek};

    return slot_open(&open, part, share, ret_key, err);
}

/* Step 8 for the metadata. */
static int check_metadata(const struct receive_in *in, struct receive *r, struct err *err)
{
    struct hash32 mkid, hash;
    int rc = metadata_mkid(&r->mek, &r->header.tid, &mkid);

    if (rc == ERR_OK)
        rc = hash_sha256(hash.b, in->metadata.data, in->metadata.len);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot check metadata");
    if (!secret_equal(&mkid, &r->header.mkid, sizeof(mkid)))
        return err_set(err, ERR_INTEGRITY, "the metadata's key does not fit Header.mkid");
    if (!secret_equal(&hash, &r->header.metadata_hash, sizeof(hash)))
        return err_set(err, ERR_INTEGRITY, "the metadata does not fit Header.metadata_hash");
    rc = metadata_open(&r->mek, &r->header.tid, in->metadata, &r->metadata, err);
    if (rc == ERR_OK && r->metadata.length > r->header.body_length)
        rc = err_set(err, ERR_INTEGRITY, "Metadata.length: longer than the body");
    return received(rc, err);
}

int receive_check(const struct receive_in *in, struct receive *r, struct err *err)
{
    int rc = receive_origin(in, r, err);

    if (rc == ERR_OK)
        rc = check_time(in, r, err);
    if (rc == ERR_OK)
        rc = open_slot(in, r, SHARE_META, in->share_meta, &r->mek, err);
    if (rc == ERR_OK)
        rc = check_metadata(in, r, err);
    if (rc != ERR_OK) {
        secret_free(&r->mek);
        metadata_free(&r->metadata);
    }
    return rc;
}

int receive_body(const struct receive_in *in, const struct receive *r,
                 const struct secret *share_body, struct body **ret_body, struct err *err)
{
    struct secret cek = {0};
    int rc = open_slot(in, r, SHARE_BODY, share_body, &cek, err);

    if (rc == ERR_OK)
        rc = body_match(&cek, &r->header, ret_body, err);
    secret_free(&cek);
    return rc;
}

void receive_free(struct receive *r)
{
    if (r == NULL)
        return;
    secret_free(&r->mek);
    metadata_free(&r->metadata);
    *r = (struct receive){0};
}
