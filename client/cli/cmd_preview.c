/* SPDX-License-Identifier: Apache-2.0 */
/* satchel preview - previews of pictures as files: encode, decode, eval.  Without profile and
 * network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/preview_layers.h"
#include "client/cli/preview_table.h"
#include "client/cli/ui.h"
#include "client/local/preview_load.h"
#include "common/fs.h"

enum { FILE_MAX = 4096 };

static const char *weights = "general", *output, *sheet, *plot, *only;
static uint32_t class = 256, limit, crops;

static const struct opt opts[] = {
    {"weights", 'w', OPT_TEXT, &weights, "NAME",
     "general (default), a weight file, or in a build tree faces"},
    {"class", 'c', OPT_COUNT, &class, "BYTES", "encode: 128, 256 (default) or 512 bytes"},
    {"output", 'o', OPT_TEXT, &output, "FILE", "encode, decode: where the result goes"},
    {"sheet", 0, OPT_TEXT, &sheet, "FILE", "eval: contact sheet: original, preview, difference"},
    {"plot", 0, OPT_TEXT, &plot, "FILE", "eval: plot of rate and distortion"},
    {"only", 0, OPT_TEXT, &only, "LIST", "eval: only the paths in this file, one a line"},
    {"limit", 0, OPT_COUNT, &limit, "N", "eval: at most N pictures"},
    {"crops", 0, OPT_COUNT, &crops, "N",
     "eval: N squares out of each picture instead of all of it"},
    {NULL, 0, OPT_FLAG, NULL, NULL, NULL},
};

struct job {
    const struct preview_module *m;
    struct preview *p;
};

static int encode(struct job *j, const char *from, struct err *err)
{
    static struct preview_image image;
    uint8_t bytes[PREVIEW_CLASS_MAX];
    int rc = j->m->read(from, &image, err);

    if (class != 128 && class != 256 && class != 512)
        return err_set(err, ERR_INVALID, "preview encode: --class is 128, 256 or 512, not %u",
                       class);
    if (rc == ERR_OK)
        rc = j->m->encode(j->p, &image, class, bytes, err);
    if (rc == ERR_OK)
        rc = fs_replace(output, bytes, class, 0644, err);
    if (rc == ERR_OK) {
        ui_line("%s: %u bytes", output, class);
        ui_result(json_pack("{s:s,s:i,s:i,s:i}", "file", output, "bytes", (int)class, "width",
                            (int)image.width, "height", (int)image.height));
    }
    return rc;
}

static int decode(struct job *j, const char *from, struct err *err)
{
    static struct preview_image image;
    struct buf bytes = {0};
    int rc = fs_read(from, FILE_MAX, &bytes, err);

    if (rc == ERR_TOOLARGE)
        rc = err_set(err, ERR_CORRUPT, "'%s' is no preview: it has more than %d bytes", from,
                     FILE_MAX);
    if (rc == ERR_OK) {
        rc = j->m->decode(j->p, bytes.data, bytes.len, &image, err);
        if (rc == ERR_CORRUPT)
            err_wrap(err, "'%s' is no preview that can be read", from);
    }
    buf_free(&bytes);
    if (rc == ERR_OK)
        rc = j->m->write(output, &image, err);
    if (rc == ERR_OK) {
        ui_line("%s: %u x %u pixels", output, image.width, image.height);
        ui_result(json_pack("{s:s,s:i,s:i}", "file", output, "width", (int)image.width, "height",
                            (int)image.height));
    }
    return rc;
}

static void tick(size_t done)
{
    if (done % 50 == 0)
        ui_note("%zu pictures", done);
}

static int eval(struct job *j, const char *folder, struct err *err)
{
    const struct eval_spec spec = {.preview = j->p,
                                   .folder = folder,
                                   .only = only,
                                   .sheet = sheet,
                                   .plot = plot,
                                   .limit = limit,
                                   .crops = crops,
                                   .tick = tick};
    struct eval_result r;
    int rc = j->m->evaluate(&spec, &r, err);

    if (rc == ERR_OK)
        rc = preview_layers(r.sample, sizeof(r.sample), err);
    if (rc == ERR_OK)
        preview_table(&r);
    return rc;
}

static const struct {
    const char *name;
    int (*run)(struct job *j, const char *operand, struct err *err);
    bool output;
} actions[] = {
    {"encode", encode, true},
    {"decode", decode, true},
    {"eval", eval, false},
};

static int perform(size_t action, const char *operand, struct err *err)
{
    struct job j = {0};
    char path[4096];
    int rc = preview_load(&j.m, err);

    if (rc == ERR_OK)
        rc = preview_weights(weights, path, sizeof(path), err);
    if (rc == ERR_OK)
        rc = j.m->open_file(&j.p, path, err);
    if (rc == ERR_OK)
        rc = actions[action].run(&j, operand, err);
    if (j.p != NULL)
        j.m->close(j.p);
    return rc;
}

static int run(struct cli *cli, int argc, char **argv, struct satchel_error *err)
{
    struct err e = {0};
    size_t a = 0;

    (void)cli;
    (void)argc;
    while (a < sizeof(actions) / sizeof(actions[0]) && strcmp(actions[a].name, argv[0]) != 0)
        a++;
    if (a == sizeof(actions) / sizeof(actions[0]))
        return cli_error(err, SATCHEL_E_INVALID, "preview: %s is not encode, decode or eval",
                         argv[0]);
    if (actions[a].output && output == NULL)
        return cli_error(err, SATCHEL_E_INVALID, "preview %s: say where to, with --output FILE",
                         argv[0]);
    if (perform(a, argv[1], &e) == ERR_OK)
        return SATCHEL_OK;
    (void)cli_error(err, e.code, "%s", e.msg);
    if (e.hint[0] != '\0')
        cli_hint(err, "%s", e.hint);
    return e.code;
}

const struct cli_cmd cmd_preview = {
    .name = "preview",
    .args = "encode|decode PICTURE|FILE, eval FOLDER",
    .summary = "make, show and judge previews of pictures",
    .details = "encode writes the preview of a PNG, JPEG or WebP picture; decode makes a PNG of a\n"
               "preview; eval prints how good previews of all pictures in a folder are.\n",
    .opts = opts,
    .min_args = 2,
    .max_args = 2,
    .needs = 0,
    .run = run,
};
