/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/ui.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/cli/progress.h"
#include "client/cli/text.h"
#include "common/err.h"

static struct {
    bool json, quiet, failed, told;
} ui;

void ui_setup(bool json, bool quiet)
{
    ui.json = json;
    ui.quiet = quiet;
}

bool ui_json(void)
{
    return ui.json;
}

bool ui_quiet(void)
{
    return ui.quiet;
}

size_t ui_columns(void)
{
    struct winsize w;

    if (isatty(STDOUT_FILENO) != 1)
        return 0;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

void ui_line(const char *fmt, ...)
{
    va_list ap;

    if (ui.json)
        return;
    progress_clear();
    va_start(ap, fmt);
    if (vprintf(fmt, ap) < 0 || putchar('\n') == EOF)
        ui.failed = true;
    va_end(ap);
}

void ui_note(const char *fmt, ...)
{
    va_list ap;

    if (ui.json || ui.quiet)
        return;
    progress_clear();
    (void)fflush(stdout); /* results that came before stand before it */
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    (void)fputc('\n', stderr);
    va_end(ap);
}

/* One object on one line; a reader sees it at once. */
static void put(json_t *object)
{
    char *line = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;

    if (line == NULL || puts(line) == EOF || fflush(stdout) != 0)
        ui.failed = true;
    free(line);
    json_decref(object);
}

void ui_event(const char *name, json_t *fields)
{
    json_t *object;

    if (!ui.json) {
        json_decref(fields);
        return;
    }
    object = json_pack("{s:s}", "event", name);
    if (object != NULL && fields != NULL)
        (void)json_object_update(object, fields);
    json_decref(fields);
    put(object);
}

void ui_result(json_t *result)
{
    if (ui.json)
        put(json_pack("{s:o}", "result", result));
    else
        json_decref(result);
}

void ui_error(const struct satchel_error *err)
{
    char message[TEXT_SAFE], hint[TEXT_SAFE];
    const char *what = err->message;

    if (what[0] == '\0' && ui.told)
        return;
    if (what[0] == '\0')
        what = err_text(err->code);
    ui.told = true;
    if (ui.json) {
        put(json_pack("{s:{s:s,s:o,s:o}}", "error", "code", satchel_code_name(err->code), "message",
                      ui_json_text(what), "hint", ui_json_text(err->hint)));
        return;
    }
    progress_clear();
    (void)fflush(stdout);
    (void)fprintf(stderr, "satchel: %s\n", text_safe(what, message, sizeof(message)));
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "hint: %s\n", text_safe(err->hint, hint, sizeof(hint)));
}

void ui_notice(void *cookie, const struct satchel_notice *n)
{
    static const char *const names[] = {
        [SATCHEL_NOTICE_PINNED] = "pinned",         [SATCHEL_NOTICE_SUCCESSION] = "succession",
        [SATCHEL_NOTICE_LAPSED] = "lapsed",         [SATCHEL_NOTICE_ROTATED] = "rotated",
        [SATCHEL_NOTICE_CLOCK] = "clock",           [SATCHEL_NOTICE_KEY_FAILED] = "key_failed",
        [SATCHEL_NOTICE_RETRY] = "retry",           [SATCHEL_NOTICE_KEPT] = "kept",
        [SATCHEL_NOTICE_LEFT_OUT] = "left_out",     [SATCHEL_NOTICE_PIN] = "pin",
        [SATCHEL_NOTICE_RENAMED] = "renamed",       [SATCHEL_NOTICE_LOST] = "lost",
        [SATCHEL_NOTICE_FACTOR] = "factor_changed", [SATCHEL_NOTICE_USERNAME] = "username",
    };
    /* Whose keys are used, and who may act for us, is worth a word whenever it changes. */
    bool always = n->kind == SATCHEL_NOTICE_PINNED || n->kind == SATCHEL_NOTICE_SUCCESSION ||
                  n->kind == SATCHEL_NOTICE_FACTOR;
    char safe[TEXT_SAFE];

    (void)cookie;
    if (ui.quiet && !always)
        return;
    if (ui.json) {
        ui_event(names[n->kind], json_pack("{s:o,s:o}", "who", ui_json_text(n->who), "message",
                                           ui_json_text(n->message)));
        return;
    }
    progress_clear();
    (void)fflush(stdout); /* results that came before stand before it */
    (void)fprintf(stderr, "satchel: %s\n", text_safe(n->message, safe, sizeof(safe)));
}

json_t *ui_json_text(const char *s)
{
    json_t *direct = json_string(s);
    size_t len, used = 0;
    json_t *repaired;
    char *out;

    if (direct != NULL)
        return direct;
    out = malloc(3 * strlen(s) + 1);
    if (out == NULL)
        return NULL;
    for (; *s != '\0'; s += len) {
        bool bad = text_decode(s, &len) < 0;

        memcpy(out + used, bad ? "\xef\xbf\xbd" : s, bad ? 3 : len);
        used += bad ? 3 : len;
    }
    out[used] = '\0';
    repaired = json_string(out);
    free(out);
    return repaired;
}

json_t *ui_json_time(uint64_t ms)
{
    char text[TEXT_TIME];

    return json_string(text_time(ms, text));
}

bool ui_finish(void)
{
    return fflush(stdout) == 0 && !ui.failed;
}
