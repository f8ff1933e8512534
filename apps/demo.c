/* demo - makes a synthetic road network with its traffic, trains DCRNN on it, and compares its
 * forecasts with simple ones. */
#include "apps/experiment/experiment.h"
#include "data/file.h"
#include "data/simulate/simulate_file.h"

#define DATA "results/demo/road.h5"

static const struct wf_field fields[] = {
    WF_FIELD(wf_traffic_config, "sensors", INT, nodes, 2, 20000, NULL,
             "sensors of the road network"),
    WF_FIELD(wf_traffic_config, "days", INT, days, 7, 3650, NULL, "days of traffic"),
    WF_FIELD(wf_traffic_config, "data-seed", SEED, seed, 0, 0, NULL,
             "seed of the road network and of all that happens on it"),
    { 0 }
};

static enum wf_status make_data(void *at, FILE *log, struct wf_error *err)
{
    const struct wf_traffic_config *c = at;
    WF_TRY(wf_make_folder("results/demo", err));
    fprintf(log, "simulating %d days of traffic at %d sensors\n", c->days, c->nodes);
    return wf_simulate_traffic(DATA, c, err);
}

int main(int argc, char **argv)
{
    struct wf_traffic_config synth = wf_traffic_defaults();
    struct wf_config extra = { fields, &synth, "Synthetic traffic" };
    struct wf_app app = { .about = "train DCRNN on synthetic road traffic",
                          .settings = "model=dcrnn\ndata=" DATA "\nout=results/demo\nmode=index\n"
                                      "hidden=32\nlayers=1\nsampling=False\nepochs=8\n"
                                      "batch-size=64\nlr=0.01\neps=0.001\nclip=5\n"
                                      "schedule=multistep\nmilestones=4,6,7\ngamma=0.3\nhops=2\n"
                                      "day-of-week=True\nquantity=speed\nunits=mph\n",
                          .extra = &extra,
                          .prepare = make_data };
    return wf_experiment_main(argc, argv, &app);
}
