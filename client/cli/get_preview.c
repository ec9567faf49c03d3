/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/get_preview.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/draw.h"
#include "client/cli/progress.h"
#include "client/cli/ui.h"

static struct {
    bool running; /* the thread is to be joined */
    pthread_t thread;
    atomic_bool ready;
    uint8_t *bytes;
    size_t len;
    uint8_t weights[SATCHEL_WEIGHTS_SIZE];
    bool weights_told;
    int rc;
    struct satchel_preview shown;
} g;

static void *unpack(void *unused)
{
    struct satchel_error err;

    g.rc =
        satchel_preview_decode(g.bytes, g.len, g.weights_told ? g.weights : NULL, &g.shown, &err);
    atomic_store(&g.ready, true);
    return unused;
}

void get_preview_begin(const struct satchel_transfer *t)
{
    if (g.running || t->preview == NULL || t->preview_len == 0 || ui_json() || ui_quiet() ||
        isatty(STDERR_FILENO) != 1)
        return;
    g.bytes = malloc(t->preview_len);
    if (g.bytes == NULL)
        return;
    memcpy(g.bytes, t->preview, t->preview_len);
    g.len = t->preview_len;
    g.weights_told = t->preview_weights != NULL;
    if (g.weights_told)
        memcpy(g.weights, t->preview_weights, sizeof(g.weights));
    atomic_store(&g.ready, false);
    g.running = pthread_create(&g.thread, NULL, unpack, NULL) == 0;
    if (!g.running) {
        free(g.bytes);
        g.bytes = NULL;
    }
}

void get_preview_show(void)
{
    if (g.running && atomic_load(&g.ready))
        get_preview_end();
}

void get_preview_end(void)
{
    char *text;

    if (!g.running)
        return;
    (void)pthread_join(g.thread, NULL);
    g.running = false;
    free(g.bytes);
    g.bytes = NULL;
    if (g.rc == SATCHEL_E_REFUSED)
        ui_note("the preview was made with other weights than are installed: not shown; "
                "install the sender's weights to see it, or look at the file itself");
    text = g.rc == SATCHEL_OK ? draw_text(&g.shown, STDERR_FILENO) : NULL;
    if (text != NULL) {
        progress_clear();
        ui_note("%s", text);
    }
    free(text);
}
