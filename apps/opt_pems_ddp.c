/* opt_pems_ddp - data-parallel training on partitioned data, shuffled batch by batch: start it with
 * mpirun -n P. Options as the reference's experiment of this name, where --mode dask-index means
 * partitioned and dask means ddp-batch. */
#include "apps/experiment/experiment.h"

int main(int argc, char **argv)
{
    static const struct wf_word words[] = { { "mode", "dask-index", "partitioned" },
                                            { "mode", "dask", "ddp-batch" },
                                            { NULL, NULL, NULL } };
    static const struct wf_app app = {
        .about = "train on several ranks, each with its part of the series",
        .preset = "model=dcrnn-pgt\ndataset=pems-bay\nout=results/opt-pems-ddp\n"
                  "mode=index\nepochs=30\nbatch-size=64\nlr=0.001\neps=1e-8\nclip=0\n"
                  "schedule=constant\nhops=2\n",
        .words = words
    };
    return wf_experiment_main(argc, argv, &app);
}
