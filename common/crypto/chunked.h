/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chunked - C2SP chunked encryption, Cobblestone-256: AES-256-GCM and SHA-512
 * (c2sp.org/chunked-encryption@v1).  The body of a transfer.
 *
 * A message is cut into chunks of 16 KiB, the last one always shorter, maybe
 * empty.  A piece is 16 chunks: 262,400 bytes of ciphertext for 262,144 of
 * plaintext, the last piece shorter.  A plaintext of an exact number of pieces
 * has one more piece, holding nothing but the empty final chunk.  Salt and
 * commitment travel apart from the pieces, so each piece opens alone.
 *
 * Output may be the input's memory or must not overlap it.  An opening that
 * fails leaves zeros in the whole output.
 *
 * Errors: ERR_INTEGRITY (wrong key, damaged, misplaced, truncated: all the
 * same), ERR_INVALID (a run that cannot be), ERR_NOMEM, ERR_INTERNAL.
 * Threads: any; one struct chunked from one thread at a time.  Never blocks.
 */
#ifndef COMMON_CRYPTO_CHUNKED_H
#define COMMON_CRYPTO_CHUNKED_H

#include <stdbool.h>

#include "common/crypto/part.h"
#include "common/err.h"

enum {
    CHUNK_LEN = 16384,
    CHUNK_TAG_LEN = 16,
    CHUNK_SEALED = CHUNK_LEN + CHUNK_TAG_LEN,
    PIECE_CHUNKS = 16,
    PIECE_PLAIN = PIECE_CHUNKS * CHUNK_LEN,
    PIECE_SEALED = PIECE_CHUNKS * CHUNK_SEALED,
    CHUNKED_KEY_LEN = 32,
    CHUNKED_SALT_LEN = 24,
    CHUNKED_COMMITMENT_LEN = 32,
    CHUNKED_PREFIX_LEN = CHUNKED_SALT_LEN + CHUNKED_COMMITMENT_LEN,
    CHUNKED_CONTEXT_MAX = 16384 /* the specification knows no limit */
};

#define CHUNKED_CHUNKS_MAX ((uint64_t)1 << 38)
#define CHUNKED_PLAIN_MAX  (CHUNKED_CHUNKS_MAX * CHUNK_LEN - 1)

/* Sizes.  ${plain} is at most CHUNKED_PLAIN_MAX; a piece that is not there has 0 bytes. */
uint64_t chunked_pieces(uint64_t plain);                     /* at least 1 */
uint64_t chunked_sealed_len(uint64_t plain);                 /* all chunks, without the prefix */
size_t chunked_piece_plain(uint64_t plain, uint64_t piece);  /* 0 to PIECE_PLAIN */
size_t chunked_piece_sealed(uint64_t plain, uint64_t piece); /* CHUNK_TAG_LEN to PIECE_SEALED */

/* The inverse of chunked_sealed_len(); ERR_INTEGRITY if no plaintext gives ${sealed}. */
MUST_CHECK int chunked_plain_len(uint64_t *ret_plain, uint64_t sealed);

/* The keys of one message. */
struct chunked;

/* Derive them.  ${salt} must never repeat for one ${key}.  ERR_INVALID: context over the limit. */
MUST_CHECK int chunked_new(struct chunked **ret_c, const uint8_t key[CHUNKED_KEY_LEN],
                           const uint8_t salt[CHUNKED_SALT_LEN], struct part context);
void chunked_free(struct chunked *c); /* wipes; NULL is fine */

/* CHUNKED_COMMITMENT_LEN bytes, public; they live as long as ${c}. */
const uint8_t *chunked_commitment(const struct chunked *c);

/* Before anything is opened.  Constant time.  ERR_INTEGRITY if it is another one. */
MUST_CHECK int chunked_check(const struct chunked *c,
                             const uint8_t commitment[CHUNKED_COMMITMENT_LEN]);

/*
 * Chunks that follow each other, from number ${first}.  All are full, but a run
 * with ${final} ends with the message's final short chunk.
 */
struct chunked_run {
    uint64_t first;
    bool final;
    struct part in;
};

/* Bytes of ${plain} bytes of a run when sealed. */
size_t chunked_run_sealed(size_t plain, bool final);

/* Encrypt; ${out} takes chunked_run_sealed() bytes.  ERR_INVALID: not whole chunks, or past the
 * last possible one. */
MUST_CHECK int chunked_seal_run(struct chunked *c, const struct chunked_run *run, uint8_t *out);

/*
 * Decrypt; ${out} takes in.len bytes (less is written).  ${ret_len} is the
 * plaintext's length.  ERR_INTEGRITY also when the final chunk is full or missing.
 */
MUST_CHECK int chunked_open_run(struct chunked *c, const struct chunked_run *run, uint8_t *out,
                                size_t *ret_len);

/* Piece number ${piece} as a run; ${sealed} tells which length ${in} must have. */
MUST_CHECK int chunked_piece_run(struct chunked_run *ret_run, uint64_t plain, uint64_t piece,
                                 struct part in, bool sealed);

#endif /* COMMON_CRYPTO_CHUNKED_H */
