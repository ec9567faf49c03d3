/* SPDX-License-Identifier: Apache-2.0 */
#include "server/length.h"

#include "common/transfer/body.h"
#include "common/transfer/header.h"

enum { CHUNK_PLAIN = 16384, CHUNK_SEALED = 16384 + 16 };

uint64_t length_sealed(uint64_t plain)
{
    uint32_t n = body_pieces(plain);

    return (uint64_t)(n - 1) * BODY_PIECE_SEALED + body_sealed_len(plain, n - 1);
}

bool length_from_sealed(uint64_t sealed, uint64_t *ret_plain)
{
    uint64_t chunks = sealed / CHUNK_SEALED, rest = sealed % CHUNK_SEALED;
    uint64_t plain;

    if (rest < CHUNK_SEALED - CHUNK_PLAIN) /* the last chunk is a tag at least */
        return false;
    plain = chunks * CHUNK_PLAIN + rest - (CHUNK_SEALED - CHUNK_PLAIN);
    if (plain >= HEADER_BODY_MAX || length_sealed(plain) != sealed)
        return false;
    *ret_plain = plain;
    return true;
}

bool length_is_piece(size_t sealed)
{
    uint64_t plain;

    return sealed == BODY_PIECE_SEALED ||
           (sealed < BODY_PIECE_SEALED && length_from_sealed(sealed, &plain));
}
