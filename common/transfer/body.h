/* SPDX-License-Identifier: Apache-2.0 */
/*
 * body - the file's bytes: keys, padding, pieces, their tree
 * (proto/FORMATS.md sections 7 and 9).
 *
 * A piece is 262,144 bytes of padded plaintext and 262,400 of ciphertext, the
 * last one shorter (at least one tag of 16 bytes).  Every piece seals and opens
 * alone.  A struct body never changes, so pieces may be sealed and opened by
 * many threads at once.
 *
 * Errors: ERR_INTEGRITY, ERR_INVALID (an index or a length that cannot be),
 * ERR_NOMEM, ERR_INTERNAL.  Threads: any.  Never blocks, but a piece takes
 * about 0.2 ms of computing: not for the loop thread.
 */
#ifndef COMMON_TRANSFER_BODY_H
#define COMMON_TRANSFER_BODY_H

#include "common/secret.h"
#include "common/transfer/header.h"
#include "common/transfer/ids.h"

enum {
    BODY_PIECE_PLAIN = 262144,
    BODY_PIECE_SEALED = 262400,
    BODY_CEK_LEN = 32,
    BODY_PAD_MIN = 4096
};

/* ---- lengths; lengths of HEADER_BODY_MAX and more are not for these functions ---- */

/* max(4096, Padme(length)). */
uint64_t body_padded(uint64_t length);

/* Pieces of a body of ${length} padded bytes: at least 1. */
uint32_t body_pieces(uint64_t length);

/* Bytes of piece ${index} (below body_pieces()), plain and sealed. */
size_t body_plain_len(uint64_t length, uint32_t index);
size_t body_sealed_len(uint64_t length, uint32_t index);

/* ---- keys ---- */

/* What the header says of CEK (32 bytes): KID for a tweak, and CID. */
MUST_CHECK int body_kid(const struct secret *cek, uint32_t tweak, struct hash32 *ret_kid);
MUST_CHECK int body_cid(const struct secret *cek, struct hash32 *ret_cid);

struct body;

/*
 * The keys of one body; of ${h} tid, sender, tweak, salt and body_length are
 * read.  A salt never meets another plaintext under the same CEK.
 */
MUST_CHECK int body_new(const struct secret *cek, const struct header *h, struct body **ret_body,
                        struct err *err);
void body_free(struct body *b); /* wipes; NULL is fine */

/* The commitment for the header. */
const struct hash32 *body_commitment(const struct body *b);

/*
 * As body_new(), after KID, CID and commitment of ${h} were compared with those
 * of ${cek}, in constant time.  ERR_INTEGRITY.
 */
MUST_CHECK int body_match(const struct secret *cek, const struct header *h, struct body **ret_body,
                          struct err *err);

/* ---- pieces ---- */

/*
 * Encrypt piece ${index}; ${plain} has body_plain_len() bytes, zeros of the
 * padding included; ${out} takes body_sealed_len() bytes and may be the same memory.
 */
MUST_CHECK int body_seal_piece(const struct body *b, uint32_t index, struct part plain,
                               uint8_t *out, struct hash32 *ret_leaf);

/*
 * Check piece ${index} against its leaf, decrypt, check its chunks.  ${out} takes
 * sealed.len bytes and may be the same memory; the plaintext has body_plain_len()
 * bytes.  A piece that fails leaves nothing but zeros or ciphertext in ${out}.
 */
MUST_CHECK int body_open_piece(const struct body *b, uint32_t index, const struct hash32 *leaf,
                               struct part sealed, uint8_t *out);

/*
 * How many bytes of piece ${index} belong to a file of ${length} bytes; the
 * others are verified to be zeros.  ERR_INTEGRITY.
 */
MUST_CHECK int body_file_part(const struct body *b, uint64_t length, uint32_t index,
                              struct part plain, size_t *ret_len);

/* ---- the tree ---- */

/* RFC 6962 leaf: h(0x00 || sealed piece). */
MUST_CHECK int body_leaf(struct part sealed, struct hash32 *ret_leaf);

/* RFC 6962 root over the leaves of all pieces, in order. */
MUST_CHECK int body_root(const struct hash32 *leaves, size_t n, struct hash32 *ret_root);

/* The list of leaves against the header's body_root and length.  ERR_INTEGRITY. */
MUST_CHECK int body_check_leaves(const struct header *h, const struct hash32 *leaves, size_t n,
                                 struct err *err);

#endif /* COMMON_TRANSFER_BODY_H */
