/* SPDX-License-Identifier: Apache-2.0 */
/*
 * row - a transfer as the server shows it, checked (proto/FORMATS.md section
 * 16, steps 1 to 8 for the metadata) and made ready to be shown.
 */
#ifndef CLIENT_OP_ROW_H
#define CLIENT_OP_ROW_H

#include "client/op/people.h"
#include "common/transfer/preview.h"
#include "common/transfer/receive.h"
#include "common/transfer/statement.h"

struct row {
    Satchel__Transfer *t; /* ours; a share in it moves to `share` */
    struct secret share;
    struct receive_claim claim;
    const struct person *sender; /* set by whoever has found him */
    struct receive r;
    bool origin;                         /* who sent it, and what, is proven */
    bool opened;                         /* the metadata is open */
    bool remember;                       /* this header was not seen before */
    struct statement addendum;           /* as it claims to be; number 0: there is none */
    uint64_t extended;                   /* the end that a checked addendum gives; 0: it has none */
    uint8_t preview[PREVIEW_LATENT_MAX]; /* unsealed; what it shows is the sender's affair */
    size_t preview_len;                  /* 0: none, or none that opens */
    struct err problem;                  /* why not; code 0: all is well */
};

/* Take ${t} over and see whose it claims to be; what is malformed is in `problem`. */
MUST_CHECK int row_take(struct row *row, Satchel__Transfer *t, struct err *err);
void row_free(struct row *row); /* empties it */

/* What the checks need besides the row. */
struct row_view {
    const struct identity *me;
    struct seen *seen; /* refreshed */
    uint64_t now;
};

/* What the row is checked with; valid as long as both.  ${proof} takes SLOT_PROOF_MAX parts. */
void row_input(const struct row *row, const struct row_view *view, struct part *proof,
               struct receive_in *ret_in);

/*
 * Check; the outcome is in the row.  Returns an error only for faults of ours
 * (memory, files).  ${before}: ${n} rows of the same page that were checked earlier.
 */
MUST_CHECK int row_check(struct row *row, const struct row_view *view, const struct row *before,
                         size_t n, struct err *err);

/* Remember the headers of those rows that were proven and not seen before; for a worker. */
MUST_CHECK int row_remember(const struct row *rows, size_t n, const struct row_view *view,
                            uint64_t max_lifetime, struct err *err);

/* What the server refuses to release: ERR_EXPIRED and ERR_SPENT get the hint whom to ask. */
void row_hint(const struct row *row, struct err *err);

/* As the caller sees it; pointers in ${ret} are into ${row} and ${ret_problem}. */
void row_show(const struct row *row, const struct identity *me, struct satchel_transfer *ret,
              struct satchel_error *ret_problem);

#endif /* CLIENT_OP_ROW_H */
