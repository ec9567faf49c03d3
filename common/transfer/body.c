/* SPDX-License-Identifier: Apache-2.0 */
#include "common/transfer/body.h"

#include <stdlib.h>

#include "common/buf.h"
#include "common/crypto/chunked.h"
#include "common/crypto/hash.h"
#include "common/crypto/kdf.h"
#include "common/crypto/merkle.h"
#include "common/crypto/padme.h"

_Static_assert((int)BODY_PIECE_PLAIN == PIECE_PLAIN && (int)BODY_PIECE_SEALED == PIECE_SEALED &&
                   (int)HEADER_SALT_LEN == CHUNKED_SALT_LEN && (int)BODY_PAD_MIN == PADME_MIN,
               "one layout of pieces");
_Static_assert(HEADER_BODY_MAX < CHUNKED_PLAIN_MAX && HEADER_BODY_MAX / PIECE_PLAIN < UINT32_MAX,
               "every body that a header may name can be cut and counted");

/*
 * What every piece needs.  A context of the cipher is made for each piece: about
 * 5 us, against 200 us for the piece, and nothing is shared that changes.
 */
struct body {
    struct secret key; /* k_body */
    uint8_t salt[HEADER_SALT_LEN];
    struct hash32 context, commitment;
    uint64_t length;
};

uint64_t body_padded(uint64_t length)
{
    return padme_len(length);
}

uint32_t body_pieces(uint64_t length)
{
    return (uint32_t)chunked_pieces(length);
}

size_t body_plain_len(uint64_t length, uint32_t index)
{
    return chunked_piece_plain(length, index);
}

size_t body_sealed_len(uint64_t length, uint32_t index)
{
    return chunked_piece_sealed(length, index);
}

int body_kid(const struct secret *cek, uint32_t tweak, struct hash32 *ret_kid)
{
    uint8_t be[4];

    put_be32(be, tweak);
    return kdf_f(ret_kid->b, part_secret(cek), "kid", PARTS(PART_OF(be)));
}

int body_cid(const struct secret *cek, struct hash32 *ret_cid)
{
    return kdf_f(ret_cid->b, part_secret(cek), "cid", NULL, 0);
}

static int open_chunked(const struct body *b, struct chunked **ret_c)
{
    return chunked_new(ret_c, b->key.data, b->salt, PART_OF(b->context.b));
}

static int derive(const struct secret *cek, const struct header *h, struct body *b)
{
    struct chunked *c = NULL;
    uint8_t tweak[4];
    int rc;

    put_be32(tweak, h->tweak);
    b->length = h->body_length;
    memcpy(b->salt, h->salt, sizeof(b->salt));
    rc = hash_lp(HASH_SHA256, b->context.b,
                 PARTS(part_str("satchel/1 body ctx"), PART_OF(h->tid.b), PART_OF(h->sender.b)));
    if (rc == ERR_OK)
        rc = secret_new(&b->key, KDF_LEN, NULL);
    if (rc == ERR_OK)
        rc = kdf_f(b->key.data, part_secret(cek), "body", PARTS(PART_OF(tweak), PART_OF(h->tid.b)));
    if (rc == ERR_OK)
        rc = open_chunked(b, &c);
    if (rc == ERR_OK)
        memcpy(b->commitment.b, chunked_commitment(c), IDS_HASH_LEN);
    chunked_free(c);
    return rc;
}

int body_new(const struct secret *cek, const struct header *h, struct body **ret_body,
             struct err *err)
{
    struct body *b;
    int rc;

    if (cek->len != BODY_CEK_LEN || h->body_length >= HEADER_BODY_MAX)
        return err_set(err, ERR_INVALID, "a body of this key or length cannot be");
    b = calloc(1, sizeof(*b));
    if (b == NULL)
        return err_set(err, ERR_NOMEM, "body");
    rc = derive(cek, h, b);
    if (rc == ERR_OK) {
        *ret_body = b;
        return ERR_OK;
    }
    body_free(b);
    return err_set(err, rc, "cannot make the keys of a body");
}

void body_free(struct body *b)
{
    if (b == NULL)
        return;
    secret_free(&b->key);
    free(b);
}

const struct hash32 *body_commitment(const struct body *b)
{
    return &b->commitment;
}

static int match_ids(const struct secret *cek, const struct header *h, struct err *err)
{
    struct hash32 kid, cid;
    int rc = body_kid(cek, h->tweak, &kid);

    if (rc == ERR_OK)
        rc = body_cid(cek, &cid);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot check the key of a body");
    if (!secret_equal(&kid, &h->kid, sizeof(kid)))
        return err_set(err, ERR_INTEGRITY, "the body's key does not fit Header.kid");
    if (!secret_equal(&cid, &h->cid, sizeof(cid)))
        return err_set(err, ERR_INTEGRITY, "the body's key does not fit Header.cid");
    return ERR_OK;
}

int body_match(const struct secret *cek, const struct header *h, struct body **ret_body,
               struct err *err)
{
    struct body *b = NULL;
    int rc = match_ids(cek, h, err);

    if (rc == ERR_OK)
        rc = body_new(cek, h, &b, err);
    if (rc != ERR_OK)
        return rc;
    if (!secret_equal(&b->commitment, &h->commitment, sizeof(b->commitment))) {
        body_free(b);
        return err_set(err, ERR_INTEGRITY, "the body's key does not fit Header.commitment");
    }
    *ret_body = b;
    return ERR_OK;
}

int body_seal_piece(const struct body *b, uint32_t index, struct part plain, uint8_t *out,
                    struct hash32 *ret_leaf)
{
    struct chunked *c = NULL;
    struct chunked_run run;
    int rc;

    if (index >= body_pieces(b->length) || plain.len != body_plain_len(b->length, index))
        return ERR_INVALID;
    rc = chunked_piece_run(&run, b->length, index, plain, false);
    if (rc == ERR_OK)
        rc = open_chunked(b, &c);
    if (rc == ERR_OK)
        rc = chunked_seal_run(c, &run, out);
    chunked_free(c);
    if (rc == ERR_OK)
        rc = body_leaf(part(out, body_sealed_len(b->length, index)), ret_leaf);
    return rc;
}

int body_open_piece(const struct body *b, uint32_t index, const struct hash32 *leaf,
                    struct part sealed, uint8_t *out)
{
    struct chunked *c = NULL;
    struct chunked_run run;
    struct hash32 found;
    size_t len = 0;
    int rc;

    if (index >= body_pieces(b->length))
        return ERR_INVALID;
    if (sealed.len != body_sealed_len(b->length, index))
        return ERR_INTEGRITY;
    rc = body_leaf(sealed, &found);
    if (rc == ERR_OK && !secret_equal(&found, leaf, sizeof(found)))
        return ERR_INTEGRITY;
    if (rc == ERR_OK)
        rc = chunked_piece_run(&run, b->length, index, sealed, true);
    if (rc == ERR_OK)
        rc = open_chunked(b, &c);
    if (rc == ERR_OK)
        rc = chunked_open_run(c, &run, out, &len);
    chunked_free(c);
    if (rc == ERR_OK && len != body_plain_len(b->length, index))
        rc = ERR_INTEGRITY;
    return rc;
}

static bool all_zero(const uint8_t *p, size_t len)
{
    /* Every byte equals the one before, and the first is zero. */
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

int body_file_part(const struct body *b, uint64_t length, uint32_t index, struct part plain,
                   size_t *ret_len)
{
    uint64_t start = (uint64_t)index * BODY_PIECE_PLAIN;
    size_t of_file = 0;

    if (index >= body_pieces(b->length) || plain.len != body_plain_len(b->length, index))
        return ERR_INVALID;
    if (length > b->length)
        return ERR_INTEGRITY;
    if (length > start)
        of_file = length - start < plain.len ? (size_t)(length - start) : plain.len;
    if (of_file < plain.len &&
        !all_zero((const uint8_t *)plain.data + of_file, plain.len - of_file))
        return ERR_INTEGRITY;
    *ret_len = of_file;
    return ERR_OK;
}

int body_leaf(struct part sealed, struct hash32 *ret_leaf)
{
    return merkle_leaf(ret_leaf->b, sealed.data, sealed.len);
}

int body_root(const struct hash32 *leaves, size_t n, struct hash32 *ret_root)
{
    return merkle_root(ret_root->b, (const merkle_hash *)(const void *)leaves, n);
}

int body_check_leaves(const struct header *h, const struct hash32 *leaves, size_t n,
                      struct err *err)
{
    struct hash32 root;
    int rc;

    if (n != body_pieces(h->body_length))
        return err_set(err, ERR_INTEGRITY, "%zu leaves for a body of %u pieces", n,
                       body_pieces(h->body_length));
    rc = body_root(leaves, n, &root);
    if (rc != ERR_OK)
        return err_set(err, rc, "cannot hash the leaves of a body");
    if (memcmp(&root, &h->body_root, sizeof(root)) != 0)
        return err_set(err, ERR_INTEGRITY, "the list of pieces does not fit Header.body_root");
    return ERR_OK;
}
