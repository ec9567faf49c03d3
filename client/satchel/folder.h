/* SPDX-License-Identifier: Apache-2.0 */
/* List a folder and find transfers.  Rules: satchel.h. */
#ifndef SATCHEL_FOLDER_H
#define SATCHEL_FOLDER_H

#include "send.h"

#ifdef __cplusplus
extern "C" {
#endif

enum satchel_folder {
    SATCHEL_INBOX = 0,
    SATCHEL_SENT = 1,
    SATCHEL_ALL_FOLDERS = 2, /* with satchel_delete_start() */
};

/* A row of a folder.  Everything shown was checked: signature, slot, commitments. */
struct satchel_transfer {
    char id[SATCHEL_ID_SIZE];
    char from_id[SATCHEL_UID_SIZE];
    char from[SATCHEL_NAME_SIZE]; /* contact's name or username */
    bool from_verified;           /* that contact's safety number was compared */
    enum satchel_state state;
    uint64_t created, stored, expires;
    uint32_t opens, opens_used; /* opens 0: no limit */
    uint32_t recipients; /* without the sender's copy, unless it is ours and in our inbox, too */
    uint64_t padded_size;
    /* From the sealed metadata; only if `opened`. */
    bool opened;
    char name[SATCHEL_FILE_SIZE], media_type[128];
    uint64_t size, modified; /* modified 0: unknown */
    bool folder;             /* it is a folder; size is that of its archive */
    const char *message;     /* "" none */
    const uint8_t *preview;  /* for satchel_preview_decode(); NULL: none */
    size_t preview_len;
    const uint8_t *preview_weights; /* SATCHEL_WEIGHTS_SIZE bytes, likewise; NULL: not told */
    /* With `with_recipients`, of the sent folder, as the server says; NULL: not known. */
    const struct satchel_recipient *to;
    size_t to_count;
    /* Why the metadata is not opened, or the row failed a check; NULL if all is well. */
    const struct satchel_error *problem;
};

enum { SATCHEL_PREVIEW_SIDE = 64, SATCHEL_WEIGHTS_SIZE = 4 };

struct satchel_preview {
    uint32_t width, height; /* their ratio is the picture's, to 9 %; the longer one is 64 */
    /* The picture stretched to 64 x 64, row by row. */
    uint8_t rgb[SATCHEL_PREVIEW_SIDE * SATCHEL_PREVIEW_SIDE * 3];
};

/*
 * What a preview shows; any thread.  ${weights} names those it needs; NULL: not told.  Takes some
 * milliseconds, the first time more, and blocks on the disk.  SATCHEL_E_UNSUPPORTED,
 * SATCHEL_E_NOTFOUND: previews or their weights are not installed; SATCHEL_E_REFUSED: it needs
 * other weights than are; SATCHEL_E_CORRUPT: the bytes are no preview, or the weights are damaged.
 */
SATCHEL_API int satchel_preview_decode(const uint8_t *data, size_t len, const uint8_t *weights,
                                       struct satchel_preview *ret, struct satchel_error *err);

enum { SATCHEL_CURSOR_SIZE = 128 };

struct satchel_cursor { /* a place in a folder; {0} is its beginning */
    uint8_t data[SATCHEL_CURSOR_SIZE];
    size_t len;
};

struct satchel_listed {
    uint64_t rows;
    bool more;       /* stopped at `limit` or soon after */
    uint64_t hidden; /* of the rows, those from blocked senders: they are not told */
    struct satchel_cursor cursor;
};

struct satchel_list_options {
    enum satchel_folder folder;
    struct satchel_cursor from; /* where an earlier listing stopped */
    uint64_t limit;             /* stop after the page that reaches it; 0: list all */
    bool with_recipients;       /* ask for those of each transfer; of SATCHEL_SENT */
    void *cookie;
    void (*on_transfer)(void *cookie, const struct satchel_transfer *t); /* oldest first */
    void (*done)(void *cookie, const struct satchel_error *err, const struct satchel_listed *r);
};

/* List a folder.  A bad row is reported with its problem and does not end the listing. */
SATCHEL_API int satchel_list_start(struct satchel *s, const struct satchel_list_options *o,
                                   struct satchel_op **ret_op, struct satchel_error *err);

struct satchel_find_options {
    const char *prefix; /* 1 to 32 hex digits */
    void *cookie;
    void (*on_found)(void *cookie, const char *id, bool inbox, bool sent); /* at most 16 */
    satchel_done_cb *done;
};

/* IDs in our folders that begin with a prefix; finding none is no error. */
SATCHEL_API int satchel_find_start(struct satchel *s, const struct satchel_find_options *o,
                                   struct satchel_op **ret_op, struct satchel_error *err);

#ifdef __cplusplus
}
#endif

#endif /* SATCHEL_FOLDER_H */
