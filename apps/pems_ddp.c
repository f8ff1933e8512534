/* pems_ddp - data-parallel training on the PeMS data sets, every rank with the whole series: start
 * it with mpirun -n P. Options and defaults as the reference's experiment of this name, where
 * --mode dask means ddp. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_word words[] = { { "mode", "dask", "ddp" }, { NULL, NULL, NULL } };
    static const struct wf_app app = {
        .about = "train on several ranks, each with the whole series",
        .preset = "model=dcrnn-pgt\ndataset=pems-bay\nout=results/pems-ddp\n"
                  "mode=index\nepochs=30\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n",
        .words = words
    };
    return wf_experiment_main(argc, argv, &app);
}
