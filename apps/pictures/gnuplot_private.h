/* gnuplot_private.h - one picture in the making: its data file, its script, and the run of gnuplot.
 *
 * Strings of the caller reach the script between single quotes only, where
 * gnuplot interprets nothing. */
#ifndef WF_GNUPLOT_H
#define WF_GNUPLOT_H

#include "apps/pictures/plot.h"
#include "apps/kit/text.h"

#ifdef __cplusplus
extern "C" {
#endif

struct wf_picture {
    struct wf_plots *plots;
    const char *name;
    struct wf_text data, script;
};
/* Opens NAME.csv and NAME.gp; the script has chosen terminal, colours and title when this
 * returns. What the caller adds to it runs twice, for PNG and for SVG. */
enum wf_status wf_picture_begin(struct wf_picture *pic, struct wf_plots *plots, const char *name,
                                const char *title, struct wf_error *err);
/* Closes both files and lets gnuplot draw. The caller ends every picture that was begun. */
enum wf_status wf_picture_end(struct wf_picture *pic, struct wf_error *err);

/* Writes text in single quotes, so that gnuplot interprets nothing in it. */
void wf_picture_string(FILE *script, const char *text);

/* Okabe and Ito's colours, which colour-blind people can tell apart; "#rrggbb". */
extern const char *const wf_colours[7];

#ifdef __cplusplus
}
#endif
#endif
