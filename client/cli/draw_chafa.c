/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/draw_chafa.h"

#ifdef SATCHEL_CHAFA

#include <chafa.h>
#include <dlfcn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { SIDE = SATCHEL_PREVIEW_SIDE };

/* libchafa's functions, and the one of GLib that frees what it gives. */
#define FUNCTIONS(X)                                                                               \
    X(chafa_term_db_get_default)                                                                   \
    X(chafa_term_db_detect)                                                                        \
    X(chafa_term_info_have_seq)                                                                    \
    X(chafa_term_info_unref)                                                                       \
    X(chafa_canvas_config_new)                                                                     \
    X(chafa_canvas_config_unref)                                                                   \
    X(chafa_canvas_config_set_geometry)                                                            \
    X(chafa_canvas_config_set_cell_geometry)                                                       \
    X(chafa_canvas_config_set_canvas_mode)                                                         \
    X(chafa_canvas_config_set_pixel_mode)                                                          \
    X(chafa_canvas_new)                                                                            \
    X(chafa_canvas_unref)                                                                          \
    X(chafa_canvas_draw_all_pixels)                                                                \
    X(chafa_canvas_print)                                                                          \
    X(g_string_free)

#define POINTER(name) __typeof__(&(name)) name;

static struct {
    bool tried, there;
    struct {
        FUNCTIONS(POINTER)
    } f;
} lib;

/* A name and where its address goes; a function's address as POSIX has dlsym() give it. */
#define ENTRY(name) {#name, (void **)&lib.f.name},

static bool load(void)
{
    const struct {
        const char *name;
        void **to;
    } all[] = {FUNCTIONS(ENTRY)};
    void *so;

    if (lib.tried)
        return lib.there;
    lib.tried = true;
    so = dlopen("libchafa.so.0", RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; so != NULL && i < sizeof(all) / sizeof(all[0]); i++)
        if ((*all[i].to = dlsym(so, all[i].name)) == NULL)
            return false;
    lib.there = so != NULL;
    return lib.there;
}

/* Pixels where the terminal takes them and says how large its cells are; else characters. */
static void choose_pixels(ChafaCanvasConfig *config, ChafaTermInfo *term, int fd)
{
    struct winsize w = {0};
    bool sized = ioctl(fd, TIOCGWINSZ, &w) == 0 && w.ws_xpixel > 0 && w.ws_ypixel > 0 &&
                 w.ws_col > 0 && w.ws_row > 0;

    if (!sized)
        return;
    if (lib.f.chafa_term_info_have_seq(term, CHAFA_TERM_SEQ_BEGIN_KITTY_IMMEDIATE_IMAGE_V1))
        lib.f.chafa_canvas_config_set_pixel_mode(config, CHAFA_PIXEL_MODE_KITTY);
    else if (lib.f.chafa_term_info_have_seq(term, CHAFA_TERM_SEQ_BEGIN_SIXELS))
        lib.f.chafa_canvas_config_set_pixel_mode(config, CHAFA_PIXEL_MODE_SIXELS);
    else
        return;
    lib.f.chafa_canvas_config_set_cell_geometry(config, w.ws_xpixel / w.ws_col,
                                                w.ws_ypixel / w.ws_row);
}

char *draw_chafa(const struct satchel_preview *p, struct draw_size size, int fd)
{
    ChafaCanvasConfig *config;
    ChafaTermInfo *term;
    ChafaCanvas *canvas;
    GString *text;
    char *copy = NULL;

    if (!load())
        return NULL;
    term = lib.f.chafa_term_db_detect(lib.f.chafa_term_db_get_default(), environ);
    config = lib.f.chafa_canvas_config_new();
    lib.f.chafa_canvas_config_set_geometry(config, (int)size.width, (int)(size.height + 1) / 2);
    lib.f.chafa_canvas_config_set_canvas_mode(config, CHAFA_CANVAS_MODE_TRUECOLOR);
    choose_pixels(config, term, fd);
    canvas = lib.f.chafa_canvas_new(config);
    lib.f.chafa_canvas_draw_all_pixels(canvas, CHAFA_PIXEL_RGB8, p->rgb, SIDE, SIDE, SIDE * 3);
    text = lib.f.chafa_canvas_print(canvas, term);
    if (text != NULL) {
        copy = strndup(text->str, text->len);
        (void)(lib.f.g_string_free)(text, TRUE); /* newer GLib has a macro of that name */
    }
    lib.f.chafa_canvas_unref(canvas);
    lib.f.chafa_canvas_config_unref(config);
    lib.f.chafa_term_info_unref(term);
    return copy;
}

#else

char *draw_chafa(const struct satchel_preview *p, struct draw_size size, int fd)
{
    (void)p;
    (void)size;
    (void)fd;
    return NULL;
}

#endif
