/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preview-exact - previews made here are read elsewhere: tests/exact/run calls
 * it in many settings.
 *
 *   preview-exact encode FILE           write the previews of the sample pictures
 *   preview-exact decode FILE PIXELS    print the SHA-256 of their symbols; write their pixels
 *   preview-exact compare A B           print by how much two files of pixels differ at most
 *
 * With SATCHEL_WEIGHTS in the environment, that weight file instead of the sample's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/buf.h"
#include "common/fs.h"
#include "models/preview.h"
#include "models/preview_file.h"
#include "models/preview_symbols.h"
#include "tests/exact/sample_preview.h"

enum { PICTURES = 12, FILE_MAX = 16 << 20 };

static int weights(struct buf *b, struct err *err)
{
    const char *path = getenv("SATCHEL_WEIGHTS");
    struct preview_net *net;
    int rc;

    if (path != NULL)
        return fs_read(path, PREVIEW_FILE_MAX, b, err);
    net = sample_preview();
    rc = net != NULL ? preview_file_encode(net, b, err) : ERR_NOMEM;
    preview_net_free(net);
    return rc;
}

static int encode(struct preview *p, const char *path, struct err *err)
{
    static struct preview_image image = {.width = 64, .height = 48};
    struct buf out = {0};
    int rc = ERR_OK;

    for (unsigned n = 0; n < PICTURES && rc == ERR_OK; n++) {
        uint8_t bytes[PREVIEW_CLASS_MAX];
        size_t class = preview_classes[n % PREVIEW_CLASSES];

        sample_picture(n, image.rgb);
        rc = preview_encode(p, &image, class, bytes, err);
        buf_put(&out, bytes, class);
    }
    if (rc == ERR_OK)
        rc = buf_check(&out, err);
    if (rc == ERR_OK)
        rc = fs_replace(path, out.data, out.len, 0644, err);
    buf_free(&out);
    return rc;
}

static void print_hash(const struct buf *b)
{
    uint8_t hash[32];
    size_t n = 0;

    if (EVP_Q_digest(NULL, "SHA256", NULL, b->data, b->len, hash, &n) != 1)
        abort();
    for (size_t i = 0; i < n; i++)
        printf("%02x", hash[i]);
    printf("\n");
}

struct decoded {
    struct buf symbols, pixels;
};

/* Add those of one preview to ${to}. */
static int decode_one(struct preview *p, const struct preview_net *net, struct part data,
                      struct decoded *to, struct err *err)
{
    static struct preview_image image;
    static struct preview_values values;
    static struct preview_symbols s;
    int rc = preview_symbols_decode(net, data, &s, &values, err);

    if (rc != ERR_OK)
        return rc;
    buf_u8(&to->symbols, s.aspect);
    buf_u8(&to->symbols, s.step);
    buf_u8(&to->symbols, s.depth);
    buf_put(&to->symbols, s.levels, sizeof(s.levels));
    for (int i = 0; i < PREVIEW_LATENTS; i++)
        buf_u32(&to->symbols, (uint32_t)s.q[i]);
    for (int i = 0; i < PREVIEW_DETAILS; i++)
        buf_u16(&to->symbols, (uint16_t)s.d[i]);
    rc = preview_decode(p, data.data, data.len, &image, err);
    buf_put(&to->pixels, image.rgb, sizeof(image.rgb));
    return rc;
}

static int decode(struct preview *p, const struct preview_net *net, const char *from,
                  const char *to, struct err *err)
{
    struct decoded all = {0};
    struct buf in = {0};
    size_t at = 0;
    int rc = fs_read(from, FILE_MAX, &in, err);

    for (unsigned n = 0; n < PICTURES && rc == ERR_OK; n++) {
        size_t class = preview_classes[n % PREVIEW_CLASSES];

        rc = at + class <= in.len ? decode_one(p, net, part(in.data + at, class), &all, err)
                                  : err_set(err, ERR_CORRUPT, "%s: too short", from);
        at += class;
    }
    if (rc == ERR_OK)
        rc = fs_replace(to, all.pixels.data, all.pixels.len, 0644, err);
    if (rc == ERR_OK)
        print_hash(&all.symbols);
    buf_free(&in);
    buf_free(&all.symbols);
    buf_free(&all.pixels);
    return rc;
}

static int compare(const char *a, const char *b, struct err *err)
{
    struct buf x = {0}, y = {0};
    int most = 0, rc = fs_read(a, FILE_MAX, &x, err);

    if (rc == ERR_OK)
        rc = fs_read(b, FILE_MAX, &y, err);
    if (rc == ERR_OK && (x.len != y.len || x.len == 0))
        rc = err_set(err, ERR_CORRUPT, "%s and %s differ in length", a, b);
    for (size_t i = 0; i < x.len && rc == ERR_OK; i++)
        most = abs(x.data[i] - y.data[i]) > most ? abs(x.data[i] - y.data[i]) : most;
    if (rc == ERR_OK)
        printf("%d\n", most);
    buf_free(&x);
    buf_free(&y);
    return rc;
}

int main(int argc, char **argv)
{
    struct preview *p = NULL;
    struct preview_net *net = NULL;
    struct buf file = {0};
    struct err err = {0};
    int rc = argc >= 3 ? weights(&file, &err) : err_set(&err, ERR_INVALID, "see the source");

    if (rc == ERR_OK)
        rc = preview_make(&p, file.data, file.len, &err);
    if (rc == ERR_OK)
        rc = preview_file_decode(&net, file.data, file.len, &err);
    if (rc == ERR_OK && strcmp(argv[1], "encode") == 0)
        rc = encode(p, argv[2], &err);
    else if (rc == ERR_OK && argc == 4 && strcmp(argv[1], "decode") == 0)
        rc = decode(p, net, argv[2], argv[3], &err);
    else if (rc == ERR_OK && argc == 4 && strcmp(argv[1], "compare") == 0)
        rc = compare(argv[2], argv[3], &err);
    preview_close(p);
    preview_net_free(net);
    buf_free(&file);
    if (rc != ERR_OK)
        (void)fprintf(stderr, "preview-exact: %s: %s\n", err_name(rc), err.msg);
    return rc == ERR_OK ? 0 : 1;
}
