/* SPDX-License-Identifier: Apache-2.0 */
/*
 * data - the pictures that previews are trained on: folders of PNG and JPEG
 * files, as squares of 64 x 64 pixels, with augmentation.
 *
 * A picture that is 64 x 64 already comes as it is; another one comes whole,
 * scaled, and as squares cut out of it, of drawn place and size.  Each may be
 * joined by copies turned, scaled and moved a little.
 *
 * Threads: one at a time.  Errors: ERR_NOTFOUND, ERR_IO, ERR_NOMEM.
 */
#ifndef MODELS_TRAIN_DATA_H
#define MODELS_TRAIN_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "models/prg.h"

struct data {
    uint8_t *rgb; /* n times PREVIEW_BYTES; owned */
    size_t n, room;
    size_t files, held_out, refused;
};

struct data_spec {
    const char *const *folders; /* read with all folders in them, in order of names */
    size_t n_folders;
    const char *held_out; /* a file with a path a line, relative to the folder; NULL: none */
    unsigned cuts;        /* squares out of each larger picture */
    unsigned copies;      /* moved copies of each 64 x 64 picture */
};

/* Read all pictures except those held out.  Free with data_free(). */
MUST_CHECK int data_read(struct data *ret_d, const struct data_spec *spec, struct prg *prg,
                         struct err *err);
void data_free(struct data *d);

/* So many pictures of ${data}, as ${prg} draws them. */
struct data_draw {
    const struct data *data;
    unsigned pictures;
    struct prg *prg;
};

#endif /* MODELS_TRAIN_DATA_H */
