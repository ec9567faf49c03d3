/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/text.h"
#include "client/cli/ui.h"

enum { QUIET_MS = 500, SCREEN_MS = 100, BAR = 24, LABEL = 30 };

static struct {
    char label[TEXT_SAFE + TEXT_FIT]; /* at most LABEL columns */
    uint64_t begun, drawn;            /* ms, monotonic */
    uint64_t rate_at, rate_from;      /* when bytes began to move, and where */
    enum satchel_phase phase;
    bool on_screen;
} bar;

static uint64_t monotonic_ms(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void progress_begin(const char *label)
{
    char safe[TEXT_SAFE];

    progress_clear();
    memset(&bar, 0, sizeof(bar));
    (void)text_fit(text_safe(label, safe, sizeof(safe)), LABEL, bar.label);
    bar.begun = monotonic_ms();
}

void progress_clear(void)
{
    if (!bar.on_screen)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    bar.on_screen = false;
}

static size_t columns(void)
{
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

/* In place of what the line shows. */
static void put(const char *line)
{
    (void)fprintf(stderr, "\r%.*s\033[K", (int)text_head(line, columns() - 1), line);
    (void)fflush(stderr);
    bar.on_screen = true;
}

static void draw(const struct satchel_progress *p, uint64_t now)
{
    char cells[BAR + 1], size[TEXT_SIZE], total[TEXT_SIZE], rate[TEXT_SIZE], left[TEXT_SIZE];
    uint64_t ms = now - bar.rate_at, moved = p->done - bar.rate_from;
    uint64_t speed = ms > 0 ? moved * 1000 / ms : 0;
    int filled = p->total > 0 ? (int)((double)p->done / (double)p->total * (double)BAR) : 0;
    char line[sizeof(bar.label) + 256];

    for (int i = 0; i < BAR; i++)
        cells[i] = i < filled ? '#' : '.';
    cells[BAR] = '\0';
    (void)snprintf(left, sizeof(left), "-");
    if (speed > 0 && p->total >= p->done)
        (void)text_span((p->total - p->done) * 1000 / speed, left);
    if (p->total == 0 && p->phase != SATCHEL_PHASE_TRANSFER) /* there is nothing to count yet */
        (void)snprintf(line, sizeof(line), "%s%s%s", bar.label, bar.label[0] != '\0' ? "  " : "",
                       satchel_phase_name(p->phase));
    else if (p->total == 0) /* nobody knows how much will come */
        (void)snprintf(line, sizeof(line), "%s  %s  %s/s  %s", bar.label, text_size(p->done, size),
                       text_size(speed, rate), satchel_phase_name(p->phase));
    else
        (void)snprintf(line, sizeof(line), "%s [%s] %s of %s  %s/s  %s left  %s", bar.label, cells,
                       text_size(p->done, size), text_size(p->total, total), text_size(speed, rate),
                       left, satchel_phase_name(p->phase));
    put(line);
}

void progress_wait(const char *text)
{
    if (ui_json() || ui_quiet() || isatty(STDERR_FILENO) == 0)
        return;
    put(text);
}

static void emit(const struct satchel_progress *p)
{
    ui_event("progress", json_pack("{s:s,s:I,s:I,s:I,s:s}", "phase", satchel_phase_name(p->phase),
                                   "done", (json_int_t)p->done, "total", (json_int_t)p->total,
                                   "kept_pieces", (json_int_t)p->pieces_kept, "id", p->id));
}

void progress_show(void *cookie, const struct satchel_progress *p)
{
    uint64_t now = monotonic_ms();
    bool fresh = bar.drawn == 0 || p->phase != bar.phase;

    (void)cookie;
    if (bar.begun == 0)
        bar.begun = now;
    if (p->phase == SATCHEL_PHASE_TRANSFER && bar.rate_at == 0) {
        bar.rate_at = now;
        bar.rate_from = p->done;
    }
    if (!fresh && now - bar.drawn < SCREEN_MS)
        return;
    bar.phase = p->phase;
    bar.drawn = now;
    if (ui_quiet())
        return;
    if (ui_json())
        emit(p);
    else if (isatty(STDERR_FILENO) && now - bar.begun >= QUIET_MS)
        draw(p, now);
}
