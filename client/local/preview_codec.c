/* SPDX-License-Identifier: Apache-2.0 */
#include "client/local/preview_codec.h"

#include <pthread.h>
#include <string.h>

enum { PATH_SIZE = 4096 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct preview *kept; /* under lock; lives as long as the process */

/* With the lock held. */
static int codec(const struct preview_module **ret_module, struct err *err)
{
    char path[PATH_SIZE];
    int rc = preview_load(ret_module, err);

    if (rc != ERR_OK || kept != NULL)
        return rc;
    rc = preview_weights("general", path, sizeof(path), err);
    return rc == ERR_OK ? (*ret_module)->open_file(&kept, path, err) : rc;
}

bool preview_wanted(const uint8_t *data, size_t len)
{
    static const uint8_t png[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    static const uint8_t jpeg[] = {0xFF, 0xD8, 0xFF};

    return len >= PREVIEW_MAGIC_LEN &&
           (memcmp(data, png, sizeof(png)) == 0 || memcmp(data, jpeg, sizeof(jpeg)) == 0 ||
            (memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0));
}

int preview_of_picture(const uint8_t *data, size_t len, uint8_t out[PREVIEW_CLASS],
                       uint8_t ret_weights[PREVIEW_ID_LEN], struct err *err)
{
    const struct preview_module *m;
    struct preview_image image;
    int rc;

    if (!preview_wanted(data, len))
        return err_set(err, ERR_UNSUPPORTED, "neither PNG nor JPEG nor WebP");
    if (len > PREVIEW_SOURCE_MAX)
        return err_set(err, ERR_TOOLARGE, "picture file of %zu bytes", len);
    (void)pthread_mutex_lock(&lock);
    rc = codec(&m, err);
    if (rc == ERR_OK)
        rc = m->scale(data, len, &image, err);
    if (rc == ERR_OK)
        rc = m->encode(kept, &image, PREVIEW_CLASS, out, err);
    if (rc == ERR_OK)
        memcpy(ret_weights, m->id(kept), PREVIEW_ID_LEN);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

/* With other weights the same bytes would show nonsense, or be refused as no preview. */
static int check_weights(const uint8_t *theirs, const uint8_t *ours, struct err *err)
{
    if (theirs == NULL || memcmp(theirs, ours, PREVIEW_ID_LEN) == 0)
        return ERR_OK;
    (void)err_set(err, ERR_REFUSED,
                  "the preview was made with other weights (%02x%02x%02x%02x) than are installed "
                  "(%02x%02x%02x%02x)",
                  theirs[0], theirs[1], theirs[2], theirs[3], ours[0], ours[1], ours[2], ours[3]);
    err_hint(err, "get the file itself, or install the sender's weights");
    return ERR_REFUSED;
}

int preview_show(const uint8_t *data, size_t len, const uint8_t *weights,
                 struct preview_image *ret_image, struct err *err)
{
    const struct preview_module *m;
    int rc;

    (void)pthread_mutex_lock(&lock);
    rc = codec(&m, err);
    if (rc == ERR_OK)
        rc = check_weights(weights, m->id(kept), err);
    if (rc == ERR_OK)
        rc = m->decode(kept, data, len, ret_image, err);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}
