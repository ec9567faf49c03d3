/* SPDX-License-Identifier: Apache-2.0 */
/*
 * send - what the files of this operation share: send.c (course), send_to.c (recipients),
 * send_open.c (OpenTransfer), send_body.c (pieces), send_have.c (which of them the server has),
 * send_stream.c (of a source whose length is not known), send_slots.c (slots), send_seal.c (keys,
 * metadata, header), send_preview.c, send_record.c (what survives).  Nobody else includes it.
 */
#ifndef CLIENT_OP_SEND_H
#define CLIENT_OP_SEND_H

#include "client/core/rate.h"
#include "client/local/source.h"
#include "client/local/upload.h"
#include "client/op/contacts.h"
#include "client/op/people.h"
#include "common/transfer/receive.h"

enum {
    SEND_AHEAD_MAX = 4,     /* slots of which something is made ahead */
    SEND_RECORD_MIN = 5,    /* pieces of a transfer that is worth a record */
    SEND_RECORD_BATCH = 16, /* leaves for which one sync is paid, while others are on their way */
};

/* A piece between the file and the connection. */
struct send_piece {
    struct op_job job;
    uint8_t *buffer; /* of the pool; NULL: this place is free */
    uint32_t index;
    size_t len;              /* of the plaintext that is not padding */
    const struct body *body; /* its keys, for this length of the whole */
    uint64_t body_length;
    bool there; /* a worker has sealed it: what is in the buffer is no plaintext any more */
    bool sealed;
    struct hash32 leaf;
};

/* A slot to be made; the sender's own among them. */
struct send_slot {
    const struct person *person; /* NULL: ourselves */
    struct uid uid;
    const struct manifest_ek *ek;
    Satchel__Role role;
    struct secret share[2]; /* by enum share_part */
};

/* What is made of a slot while the server opens the transfer (send_slots.c). */
struct send_ahead_slot {
    struct uid to;
    struct manifest_ek ek;     /* without its key, which the manifest has: that may go meanwhile */
    uint8_t key[HPKE_KEY_LEN]; /* a copy */
    struct hpke_kem kem;       /* empty: it was not made, or is used */
};
struct send_ahead {
    struct net_task turn;
    struct op_job job;
    size_t n; /* 0: nothing was prepared; it is once for a send */
    struct send_ahead_slot of[SEND_AHEAD_MAX];
    atomic_bool made; /* the worker has done what it could: `of` is the sealing worker's */
};

struct send {
    struct satchel_op op;
    /* Options. */
    char *path, *name, *message, *media_type;
    char **to;
    size_t n_to;
    int fd; /* with path NULL */
    uint64_t lifetime, expires;
    uint32_t opens, policy;
    bool no_padding, no_preview, abandon;
    uint64_t limit_rate;
    satchel_recipient_cb *on_recipient;
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_sent *r);

    struct op_job job, numbers;
    struct send_ahead ahead;
    struct source *source;
    atomic_bool stop;       /* for workers: it has ended */
    uint64_t size;          /* of what the source gives; a stream's is unknown before its end */
    struct person *persons; /* n_to */
    struct people people;
    struct send_slot *slots;
    size_t n_slots, n_recipients; /* recipients are without our copy */
    uint8_t upload_key[16];

    struct header header;
    bool opened, sealed; /* the daemon has an upload; it has the transfer */
    bool told;           /* on_recipient was called */
    bool unkeyed;        /* keys are drawn with the only piece, by the worker that has it */
    bool asked;          /* OpenTransfer has left: ask for the same if there was no answer */
    bool located;        /* persons are, by the first job */
    bool sealing;        /* the seal is being made, or on its way */
    struct secret cek, mek;
    /* Keys of the pieces; `end` those of a stream's last ones, once its length is known. */
    struct body *body, *end;

    /* The pipeline: read and sealed in any order, then recorded, then sent in order; a stream is
     * read in order, and its pieces stay in their places until the server has them. */
    struct send_piece *pieces;
    uint32_t n_places; /* of them: none for pieces that there will not be */
    struct pool_waiter waiter;
    struct rate rate;
    uint32_t n_pieces, next_read, next_leaf, next_sent;
    bool reading;                  /* a piece of a stream; the worker sets `end` and these: */
    uint64_t end_size, end_length; /* of the whole, without and with padding */
    uint32_t acked, unacked;       /* durable at the server; on their way */
    uint32_t kept;                 /* pieces of an earlier command that the server had */
    struct hash32 *leaves; /* of all pieces that were ever sealed: they must be the same again */
    uint32_t known, cap_leaves;
    uint8_t *have;    /* for each piece: the server has it; NULL: none */
    uint32_t checked; /* pieces whose source was compared with their leaf in this process */

    /* What survives this process (send_record.c). */
    struct op_job record_job;
    struct upload_log *log; /* NULL: nothing does */
    struct upload_past past;
    bool looked;        /* the log was looked for */
    bool resuming;      /* tid, keys and times are those of an earlier process */
    unsigned forgotten; /* times that the server did not know what it had opened */
    bool start_over;    /* what there was cannot be gone on with */
    bool stale;         /* the server is to abandon this one: */
    struct tid stale_tid;
    const char *why_not; /* why nothing is kept, for people; NULL: told, or something is */
    uint64_t lease;
    struct hash32
        batch[POOL_PIECES]; /* leaves being recorded: n_batch of them, from `durable` on */
    uint32_t n_batch, durable, written;
    bool recording;

    /* Sealed. */
    struct buf metadata, packed_header, *packed_slots;
    struct uid *slot_uids; /* in the order of the slots tree */
    uint8_t signature[SIGNED_SIG_LEN];
    char id[SATCHEL_ID_SIZE];
};

/*
 * Groups become their members; then it is known how many there are, and there is room for them.
 * ERR_LIMIT: over ${max}.  For workers.
 */
MUST_CHECK int send_expand(struct send *s, size_t max, struct err *err);
void send_free_to(struct send *s);

/* What it takes of every mailbox, in bytes; metadata left out. */
uint64_t send_room(const struct send *s);

/* The server does not say whose mailbox is full: ours, as far as we know, or a recipient's. */
void send_say_whose(const struct send *s, struct satchel_error *err);

/* Find the recipients, then send_record_find(). */
void send_look_up(struct satchel_op *op);

/* What the header says before the transfer is open.  Errors: lifetime_choose(), ERR_UNSUPPORTED,
 * ERR_TOOLARGE. */
MUST_CHECK int send_fill_header(struct send *s, const struct session_hello *limits,
                                struct err *err);

/* Was anybody's key guessed from what is pinned?  Then a refusal may be about that: all are looked
 * up, and it is opened again.  True: that has begun. */
bool send_retry_with_lookup(struct send *s);

/* Open the transfer at the server. */
void send_open(struct send *s);

/* Tell the server that nothing more comes for this upload; if it does not hear, its lease ends. */
void send_abandon(struct send *s, const struct tid *tid);

/* The same for what an earlier process has left, `past`, as the operation's aim. */
void send_give_up(struct send *s);

/* Keys on a worker, then all pieces that the server does not have, then send_seal(). */
void send_body(struct send *s);

/* Seal a piece whose plaintext is in its place, or in the file, and go on. */
void send_piece(struct send *s, struct send_piece *p);

/*
 * For a source without `again` (send_stream.c): read the next piece, then send_piece(); one at a
 * time.  At its end the length is settled, which gives header, `end` and the number of pieces.
 */
void send_stream_read(struct send *s, struct send_piece *p);

/* Is the length of what is sent known by now? */
static inline bool send_length_known(const struct send *s)
{
    return s->size != SOURCE_LENGTH_UNKNOWN;
}

/* The connection stands again: the piece that was being read is asked for once more, or goes on if
 * a worker had it meanwhile. */
void send_stream_again(struct send *s, struct send_piece *p);

/* End: the server has not kept what it acknowledged, and that can be read only once. */
void send_stream_lost(struct send *s);

/* The connection stands again, behind send_body(): go on with what the server lacks. */
void send_body_again(struct send *s);

/* Ask the server which pieces it has, into `have` and `acked`; then send_body_pass(). */
void send_have_ask(struct send *s);

/* All pieces from the first on, but for those that the server has. */
void send_body_pass(struct send *s);

/* More leaves are durable: send their pieces. */
void send_body_flush(struct send *s);

/* Forget pieces that were on their way; no job runs. */
void send_body_reset(struct send *s);

/* Have room for the leaves of ${n} pieces.  False: out of memory. */
bool send_leaves_room(struct send *s, uint32_t n);

/* Give back what is held of the pool; no job runs any more. */
void send_body_free(struct send *s);

/* For workers: the keys of a transfer, unless an earlier process drew them, and all of the header
 * that follows from them. */
MUST_CHECK int send_make_keys(struct send *s, struct err *err);

/* Is there one piece, whose worker can make the seal as well? */
bool send_is_small(const struct send *s);

/* Is no other send under way in this process?  Any thread. */
bool send_is_alone(void);

/*
 * OpenTransfer is about to leave: have a worker make meanwhile what slots need no answer for, once
 * for a send.  Not of many slots, nor beside another send.  What cannot be made is no failure:
 * send_slots_seal() makes all that is not there.
 */
void send_slots_ahead(struct send *s);
void send_slots_free(struct send *s); /* no job runs */

/* For workers: the slots into `packed_slots`, in an order drawn anew, and their root into the
 * header. */
MUST_CHECK int send_slots_seal(struct send *s, struct err *err);

/* For workers: what send_seal() makes, of a body whose only piece has this leaf. */
MUST_CHECK int send_seal_ahead(struct send *s, const struct hash32 *leaf, struct err *err);

/* Make metadata, slots and header on a worker, unless they are there, and seal the transfer. */
void send_seal(struct send *s);

/* For workers: a preview into ${m}, if the file is a picture and one can be made of it; whatever
 * is in the way is no reason not to send. */
void send_preview(struct send *s, struct metadata *m);

/* Has an earlier command begun the same?  Then go on with it, otherwise send_open(). */
void send_record_find(struct send *s);

/* For workers: the log begins; the sealed transfer is in it. */
MUST_CHECK int send_record_begin(struct send *s, struct err *err);
MUST_CHECK int send_record_sealed(struct send *s, struct err *err);

/* Make leaves durable, if it is time to. */
void send_record_leaves(struct send *s);

/* Nothing more can be made of it: begin a new transfer, with new keys. */
void send_start_over(struct send *s, const char *why);

/*
 * ${why} is the answer about an upload that was opened: one that nothing was put into may be gone
 * when the server was.  True: a new transfer begins.
 */
bool send_was_forgotten(struct send *s, const struct err *why);
void send_start_anew(struct send *s); /* the second half of it; no job runs */

/* Is what there is left to a later command, now that it ended? */
bool send_record_stays(const struct send *s);

#endif /* CLIENT_OP_SEND_H */
