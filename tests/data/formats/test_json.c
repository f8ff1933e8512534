/* These tests read data sets in the JSON layouts of PyTorch Geometric Temporal. */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>
#include "data/formats/json.h"
#include "tensor/alloc.h"
#include "tests/kit/outcome.h"
#include "tests/kit/scratch.h"

static struct wf_error err;

static enum wf_status parse(const char *text, struct wf_temporal_graph *g)
{
    return wf_json_parse(text, strlen(text), g, &err);
}

static const char *layout[] = {
    "{\"edges\":[[0,1],[1,0]],\"node_ids\":{\"b\":1,\"a\":0},\"FX\":[[1,2],[3,null],[5,6]]}",
    "{\"edges\":[[0,1]],\"weights\":[0.5],\"X\":[[1,2],[3,4],[5,6]]}",
    "{\"edge_mapping\":{\"edge_index\":{\"1\":[[1,1]],\"0\":[[0,1],[1,0]],\"2\":[]},"
    "\"edge_weight\":{\"0\":[4,5],\"1\":[6],\"2\":[]}},\"time_periods\":3,"
    "\"y\":[[1,2],[3,4],[5,6]]}",
    "{\"nodes\":[{\"bus_stop\":50,\"y\":[1,3,5],\"X\":{\"y\":[1,3,5],\"z\":[7,8,9]}},"
    "{\"bus_stop\":40,\"y\":[2,4,6],\"X\":{\"y\":[2,4,6],\"z\":[0,1,2]}}],"
    "\"links\":[{\"source\":40,\"target\":50,\"weight\":1.5}]}",
    "{\"0\":{\"edges\":[[0,1]],\"weights\":[2],\"y\":[1,2],\"X\":[[7,8],[9,10]]},"
    "\"1\":{\"edges\":[],\"weights\":[],\"y\":[3,4],\"X\":[[1,1],[2,2]]},"
    "\"2\":{\"edges\":[[1,1]],\"weights\":[3],\"y\":[5,6],\"X\":[[0,0],[0,5]]},"
    "\"time_periods\":3,\"node_ids\":{\"p\":0,\"q\":1}} \n",
    "{\"edges\":[[0,1]],\"weights\":[3],\"time_periods\":3,\"0\":{\"y\":[1,2],\"year\":2019},"
    "\"2\":{\"y\":[5,6]},\"1\":{\"y\":[3,4]},\"node_ids\":{\"Pi\":0,\"Set\":1}}",
    "{\"block\":[[1,2],[3,4],[5,6]],\"edges\":[[1,0],[1,1]],\"weights\":[0.25,1],"
    "\"time_periods\":3}",
    "{\"0\":{\"0\":\"(1,7,8)\",\"1\":\"( 3, 0.5, -1e-3)\",\"2\":\"(5,0,0)\"},"
    "\"1\":{\"0\":\"(2,1,1)\",\"1\":\"(4,1,1)\",\"2\":\"(6,1,9)\"},"
    "\"LABEL\":{\"0\":2,\"1\":0,\"2\":5},\"edges\":[[0,1]]}",
};

Test(json, every_layout_gives_its_series)
{
    struct wf_temporal_graph g;
    for (size_t k = 0; k < sizeof layout / sizeof *layout; k++) {
        ok(wf_json_read(scratch_file("g.json", layout[k], strlen(layout[k])), &g, &err));
        cr_assert(g.E == 3 && g.N == 2, "layout %zu", k);
        for (int i = 0; i < 6; i++)
            cr_assert(g.y[i] == (float)(i + 1) || (k == 0 && i == 3 && isnan(g.y[i])));
        cr_assert_eq(g.graphs, k == 2 || k == 4 ? 3 : 1);
        wf_temporal_graph_free(&g);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(json, edges_weights_features_and_names_are_in_place)
{
    struct wf_temporal_graph g;
    ok(parse(layout[0], &g));
    cr_assert(g.edges[0].count == 2 && g.edges[0].from[1] == 1 && g.edges[0].to[1] == 0);
    cr_assert(g.edges[0].weight[1] == 1 && g.C == 0 && !g.x);
    cr_assert_str_eq(g.ids.name[1], "b");
    wf_temporal_graph_free(&g);
    ok(parse(layout[1], &g));
    cr_assert(g.edges[0].weight[0] == 0.5F && g.ids.count == 0);
    wf_temporal_graph_free(&g);
    ok(parse(layout[2], &g));
    cr_assert(g.edges[0].count == 2 && g.edges[0].weight[1] == 5);
    cr_assert(g.edges[1].count == 1 && g.edges[1].from[0] == 1 && g.edges[2].count == 0);
    wf_temporal_graph_free(&g);
    ok(parse(layout[3], &g));
    cr_assert(g.edges[0].from[0] == 1 && g.edges[0].to[0] == 0 && g.edges[0].weight[0] == 1.5F);
    cr_assert(g.C == 2 && g.x[1] == 7 && g.x[3] == 0 && g.x[2 * 4 + 1] == 9);
    cr_assert_str_eq(g.ids.name[0], "50");
    wf_temporal_graph_free(&g);
    ok(parse(layout[4], &g));
    cr_assert(g.C == 2 && g.x[1] == 8 && g.x[4 + 2] == 2 && g.x[11] == 5);
    cr_assert(g.edges[2].from[0] == 1 && g.edges[2].weight[0] == 3 && g.edges[1].count == 0);
    wf_temporal_graph_free(&g);
    ok(parse(layout[5], &g));
    cr_assert(g.C == 0 && g.edges[0].count == 1 && g.edges[0].weight[0] == 3);
    cr_assert_str_eq(g.ids.name[1], "Set");
    wf_temporal_graph_free(&g);
    ok(parse(layout[6], &g));
    cr_assert(g.C == 0 && g.edges[0].from[0] == 1 && g.edges[0].weight[0] == 0.25F);
    wf_temporal_graph_free(&g);
    ok(parse(layout[7], &g));
    const float features[] = { 7, 8, 2, 1, 1, 2, 0.5F, -1e-3F, 0, 1, 1, 0, 0, 0, 5, 1, 9, 5 };
    cr_assert(g.C == 3 && g.edges[0].count == 1 && g.edges[0].weight[0] == 1);
    for (int i = 0; i < 18; i++) cr_assert_eq(g.x[i], features[i], "feature %d", i);
    wf_temporal_graph_free(&g);
    cr_expect_eq(wf_alloc_live(), 0);
}

static const struct {
    const char *text, *says;
} bad[] = {
    { "", "not JSON from byte 0" },
    { "{\"FX\":[[1,2]],", "not JSON" },
    { "{\"FX\":[[NaN]],\"edges\":[]}", "not JSON" },
    { "{} {}", "not JSON from byte 2" },
    { "[1,2]", "none of the keys" },
    { "{\"FX\":[[1,2]]}", "edges: found nothing, expected a list of edges" },
    { "{\"FX\":[],\"edges\":[]}", "FX: found a list, expected a list of rows, at least one" },
    { "{\"FX\":[[]],\"edges\":[]}", "FX.0: found a list, expected a list of numbers, at least" },
    { "{\"FX\":[[1,2],[3]],\"edges\":[]}", "FX.1: found 1 values, expected 2" },
    { "{\"FX\":[[1,2],3],\"edges\":[]}", "FX.1: found a number, expected a list of numbers" },
    { "{\"FX\":[[1,\"x\"]],\"edges\":[]}", "FX.0: value 1 is a text, expected a finite number" },
    { "{\"FX\":[[1,1e999]],\"edges\":[]}", "FX.0: value 1 is infinite, expected a finite" },
    { "{\"FX\":[[1,-1e39]],\"edges\":[]}", "FX.0: value 1 is infinite, expected a finite" },
    { "{\"FX\":[[1,2]],\"edges\":[[0,2]]}",
      "edges: edge 0 is [0, 2], expected two nodes from 0 to 1" },
    { "{\"FX\":[[1,2]],\"edges\":[[0,1],[0,0.5]]}", "edges: edge 1 is [0, 0.5], expected two" },
    { "{\"FX\":[[1,2]],\"edges\":[[0]]}", "edges: edge 0 is a list of 1, expected two nodes" },
    { "{\"FX\":[[1,2]],\"edges\":[true]}", "edges: edge 0 is true or false, expected two nodes" },
    { "{\"X\":[[1,2]],\"edges\":[[0,1]],\"weights\":[]}", "weights: found 0 values, expected 1" },
    { "{\"FX\":[[1,2]],\"edges\":[],\"node_ids\":{\"a\":0}}",
      "node_ids: found 1 names, expected 2" },
    { "{\"FX\":[[1,2]],\"edges\":[],\"node_ids\":{\"a\":0,\"b\":0}}", "'b' has no index" },
    { "{\"edge_mapping\":{},\"y\":[[1]]}",
      "edge_mapping.edge_index: found nothing, expected an object with a list for each step" },
    { "{\"edge_mapping\":{\"edge_index\":{},\"edge_weight\":{}}}", "y: found nothing, expected" },
    { "{\"edge_mapping\":{\"edge_index\":{\"0\":[]},\"edge_weight\":{}},\"y\":[[1]]}",
      "edge_mapping.edge_weight: found 0 steps, expected 1" },
    { "{\"edge_mapping\":{\"edge_index\":{\"1\":[]},\"edge_weight\":{\"0\":[]}},\"y\":[[1]]}",
      "edge_mapping.edge_index.0: found nothing, expected a list of edges" },
    { "{\"edge_mapping\":{\"edge_index\":{\"0\":[[0,0],[1,0]]},\"edge_weight\":{\"0\":[1,1]}},"
      "\"y\":[[1]]}",
      "edge_mapping.edge_index.0: edge 1 is [1, 0], expected two nodes from 0 to 0" },
    { "{\"edge_mapping\":{\"edge_index\":{\"0\":[[0,0]]},\"edge_weight\":{\"0\":[1,1]}},"
      "\"y\":[[1]]}",
      "edge_mapping.edge_weight.0: found 2 values, expected 1" },
    { "{\"edge_mapping\":{\"edge_index\":{\"0\":[[0,0]]},\"edge_weight\":{\"0\":[1e99]}},"
      "\"y\":[[1]]}",
      "edge_mapping.edge_weight.0: value 0 is infinite, expected a finite number" },
    { "{\"edge_mapping\":{\"edge_index\":{\"0\":[]},\"edge_weight\":{\"0\":[]}},\"y\":[[1]],"
      "\"time_periods\":2}",
      "time_periods: found 2, expected 1, the rows of y" },
    { "{\"edge_mapping\":{},\"y\":[[1]],\"time_periods\":[]}", "time_periods: found a list" },
    { "{\"block\":[[1,2]],\"edges\":[],\"time_periods\":2}", "time_periods: found 2, expected 1" },
    { "{\"block\":[[1,2],[1]],\"edges\":[]}", "block.1: found 1 values, expected 2" },
    { "{\"0\":{},\"edges\":[]}", "0.y: found nothing, expected a list of numbers" },
    { "{\"0\":{\"y\":[1]},\"1\":{\"y\":[1,2]},\"edges\":[]}", "1.y: found 2 values, expected 1" },
    { "{\"0\":{\"y\":[1]},\"edges\":[],\"time_periods\":3}", "time_periods: found 3, expected 1" },
    { "{\"0\":{\"y\":[1]},\"edges\":[[0,1]]}", "edges: edge 0 is [0, 1], expected two nodes" },
    { "{\"LABEL\":{},\"edges\":[]}", "LABEL: found an object, expected an object with a class" },
    { "{\"LABEL\":{\"0\":1},\"edges\":[]}", "0: found nothing, expected an object with a text" },
    { "{\"LABEL\":{\"0\":1},\"0\":{},\"edges\":[]}", "0: found 0 frames, expected 1" },
    { "{\"LABEL\":{\"0\":1},\"0\":{\"0\":\"(1,2)\"},\"edges\":[]}",
      "0: frame 0 is (1,2), expected a text (x,y,z)" },
    { "{\"LABEL\":{\"0\":1},\"0\":{\"0\":\"(1,2,3) \"},\"edges\":[]}", "0: frame 0 is (1,2,3) ," },
    { "{\"LABEL\":{\"0\":1},\"0\":{\"0\":\"(1,inf,3)\"},\"edges\":[]}", "frame 0 is (1,inf,3)" },
    { "{\"LABEL\":{\"0\":1},\"0\":{\"0\":7},\"edges\":[]}", "0: frame 0 is a number, expected" },
    { "{\"LABEL\":{\"0\":1},\"0\":{\"0\":\"(1,2,1e39)\"},\"edges\":[]}", "frame 0 is (1,2,1e39)" },
    { "{\"LABEL\":{\"0\":1e39},\"0\":{\"0\":\"(1,2,3)\"},\"edges\":[]}",
      "LABEL: found a number, expected the number of a class" },
    { "{\"LABEL\":{\"0\":\"Grasp\"},\"0\":{\"0\":\"(1,2,3)\"},\"edges\":[]}",
      "LABEL: found a text, expected the number of a class" },
    { "{\"nodes\":[],\"links\":[]}", "nodes: found a list, expected a list of nodes, at least" },
    { "{\"nodes\":[{\"bus_stop\":1}],\"links\":[]}", "nodes.0.y: found nothing, expected" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]},{\"y\":[1]}],\"links\":[]}",
      "nodes.1.bus_stop: found nothing, expected its number" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]},{\"bus_stop\":2,\"y\":[]}],\"links\":[]}",
      "nodes.1.y: found 0 values, expected 1" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1],\"X\":{\"a\":[1]}},{\"bus_stop\":2,\"y\":[1]}],"
      "\"links\":[]}",
      "nodes.1.X: found 0 features, expected 1" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]}],\"links\":3}", "links: found a number, expected" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]},{\"bus_stop\":1,\"y\":[1]}],\"links\":[]}",
      "bus stop 1 is there twice" },
    { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]}],\"links\":[{\"source\":1,\"target\":2}]}",
      "link 0 lacks" },
    { "{\"0\":{\"y\":[1],\"edges\":[]}}", "time_periods: found nothing, expected the number" },
    { "{\"0\":{\"y\":[1],\"edges\":[]},\"1\":{\"y\":[1],\"edges\":[]},\"time_periods\":1}",
      "time_periods: found 1, expected 2, the steps" },
    { "{\"0\":{\"y\":[1],\"edges\":[]},\"time_periods\":0.5}", "found 0.5, expected 1, the steps" },
    { "{\"0\":{\"y\":[1],\"edges\":[]},\"time_periods\":2,\"a\":1}",
      "1: found nothing, expected an object for the step" },
    { "{\"0\":{\"edges\":[]},\"time_periods\":1}", "0.y: found nothing, expected a list" },
    { "{\"0\":{\"y\":[1]},\"time_periods\":1}", "0.edges: found nothing, expected a list" },
    { "{\"0\":{\"y\":[1],\"edges\":[]},\"1\":{\"y\":[1,2],\"edges\":[]},\"time_periods\":2}",
      "1.y: found 2 values, expected 1" },
    { "{\"0\":{\"y\":[1],\"edges\":[[0,0]],\"weights\":[1,2]},\"time_periods\":1}",
      "0.weights: found 2 values, expected 1" },
    { "{\"0\":{\"y\":[1],\"edges\":[],\"X\":[]},\"time_periods\":1}",
      "0.X: found 0 nodes, expected 1" },
    { "{\"0\":{\"y\":[1],\"edges\":[],\"X\":1},\"time_periods\":1}", "0.X: found a number" },
    { "{\"0\":{\"y\":[1],\"edges\":[]},\"1\":{\"y\":[1],\"edges\":[],\"X\":[[1]]},"
      "\"time_periods\":2}",
      "1.X: found a list, expected nothing, as in step 0" },
    { "{\"0\":{\"y\":[1],\"edges\":[],\"X\":[[1]]},\"1\":{\"y\":[1],\"edges\":[],"
      "\"X\":[[1,2]]},\"time_periods\":2}",
      "1.X.0: found 2 values, expected 1" },
    { "{\"0\":{\"y\":[1],\"edges\":[],\"X\":[[1]]},\"1\":{\"y\":[1],\"edges\":[]},"
      "\"time_periods\":2}",
      "1.X: found nothing, expected features, as in step 0" },
    { "{\"0\":{\"y\":[1],\"edges\":[],\"X\":[1]},\"time_periods\":1}", "shape [1, 1, 0]" },
};

Test(json, bad_graphs_are_refused_by_name)
{
    struct wf_temporal_graph g;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *path = scratch_file("bad.json", bad[i].text, strlen(bad[i].text));
        cr_assert_eq(wf_json_read(path, &g, &err), WF_EFORMAT, "%s is taken", bad[i].text);
        says(bad[i].says);
        says("bad.json: ");
        cr_assert(!g.y && !g.edges && !g.ids.name);
        cr_assert_eq(wf_alloc_live(), 0);
    }
    fails(wf_json_read(scratch("absent.json"), &g, &err), WF_EIO, "");
    fails(wf_json_read("/", &g, &err), WF_EIO, "");
}

Test(json, weights_that_are_none_are_refused_by_name)
{
    static const struct {
        const char *text, *says;
    } row[] = {
        { "{\"X\":[[1]],\"edges\":[[0,0]],\"weights\":[-1]}",
          "weights: weight of edge 0 is -1, expected a finite one >= 0" },
        { "{\"0\":{\"y\":[1],\"edges\":[[0,0],[0,0]],\"weights\":[1,null]},\"time_periods\":1}",
          "0.weights: weight of edge 1 is nan" },
        { "{\"nodes\":[{\"bus_stop\":1,\"y\":[1]}],"
          "\"links\":[{\"source\":1,\"target\":1,\"weight\":-2}]}",
          "links: weight of edge 0 is -2" },
    };
    for (size_t i = 0; i < sizeof row / sizeof *row; i++) {
        struct wf_temporal_graph g;
        fails(parse(row[i].text, &g), WF_ENUMERIC, row[i].says);
        cr_expect_eq(wf_alloc_live(), 0);
    }
}

/* ---- one list of edges for all steps ---- */

/* Node 0 has two, no and one loop; 1 -> 0 has one, two and no edge; 0 -> 1 is in the last step. */
static const char steps[] =
    "{\"0\":{\"y\":[1,2],\"edges\":[[1,0],[0,0],[0,0]],\"weights\":[1,2,3]},"
    "\"1\":{\"y\":[3,4],\"edges\":[[1,0],[1,0]],\"weights\":[4,5]},"
    "\"2\":{\"y\":[5,6],\"edges\":[[0,1],[0,0]],\"weights\":[6,7]},\"time_periods\":3}";

Test(json, edges_of_all_steps_are_one_list_with_a_weight_for_each)
{
    struct wf_temporal_graph g;
    struct wf_edge_union u;
    const int source[] = { 0, 0, 0, 1, 1 }, target[] = { 0, 0, 1, 0, 0 };
    const float weight[] = { 2, 3, 0, 0, 1, 0, 0, 0, 4, 5, 0, 7, 6, 0, 0 };
    ok(parse(steps, &g));
    ok(wf_edge_union_make(&u, &g, &err));
    cr_assert_eq(u.count, 5);
    cr_expect_arr_eq(u.source, source, sizeof source);
    cr_expect_arr_eq(u.target, target, sizeof target);
    cr_expect_arr_eq(u.weight, weight, sizeof weight);
    wf_edge_union_free(&u);
    EACH_ALLOCATION_FAILS(err, wf_edge_union_make(&u, &g, &err), wf_edge_union_free(&u));
    for (int t = 0; t < 3; t++) g.edges[t].count = 0;
    ok(wf_edge_union_make(&u, &g, &err));
    cr_expect_eq(u.count, 0);
    wf_edge_union_free(&u);
    ptrdiff_t many = (ptrdiff_t)1 << 30;
    g.edges[0].count = g.edges[1].count = many; /* claims edges that do not exist */
    fails(wf_edge_union_make(&u, &g, &err), WF_EINVAL,
          "2147483648 edges of all steps, expected at most 2147483647");
    wf_temporal_graph_free(&g);
    cr_expect_eq(wf_alloc_live(), 0);
}

Test(json, truncated_and_damaged_graphs_are_refused_cleanly)
{
    struct wf_temporal_graph g;
    for (size_t k = 0; k < sizeof layout / sizeof *layout; k++) {
        size_t size = strlen(layout[k]);
        char *text = wf_malloc(size);
        for (size_t n = 0; n + 2 < size; n++) {
            memcpy(text, layout[k], n);
            fails(wf_json_parse(text, n, &g, &err), WF_EFORMAT, "");
            cr_assert_eq(wf_alloc_live(), 1);
        }
        for (size_t i = 0; i < 8 * size; i++) {
            memcpy(text, layout[k], size);
            text[i / 8] ^= (char)(1 << i % 8);
            if (wf_json_parse(text, size, &g, &err) == WF_OK) wf_temporal_graph_free(&g);
            cr_assert_eq(wf_alloc_live(), 1);
        }
        wf_free(text);
    }
}

Test(json, every_failed_allocation_is_clean)
{
    struct wf_temporal_graph g = { 0 };
    for (size_t k = 0; k < sizeof layout / sizeof *layout; k++) {
        const char *path = scratch_file("g.json", layout[k], strlen(layout[k]));
        EACH_ALLOCATION_FAILS(err, wf_json_read(path, &g, &err), wf_temporal_graph_free(&g));
    }
}

static const struct {
    const char *path;
    int E, N, C, graphs, edges;
} real[] = {
    { "data/pgt/chickenpox.json", 521, 20, 0, 1, 102 },
    { "data/pgt/pedalme_london.json", 35, 15, 0, 1, 225 },
    { "data/pgt/england_covid.json", 61, 129, 0, 61, 0 },
    { "data/pgt/montevideo_bus.json", 744, 675, 1, 1, 690 },
    { "data/pgt/twitter_tennis_rg17.json", 120, 1000, 2, 120, 89 },
};

Test(json, the_published_graphs_are_read)
{
    NEED_SHARED();
    for (size_t k = 0; k < sizeof real / sizeof *real; k++) {
        struct wf_temporal_graph g;
        ok(wf_json_read(shared(real[k].path), &g, &err));
        cr_assert_eq(g.E, real[k].E, "%s", real[k].path);
        cr_assert(g.N == real[k].N && g.C == real[k].C && g.graphs == real[k].graphs);
        cr_assert(!real[k].edges || g.edges[0].count == real[k].edges);
        cr_assert(g.edges[g.graphs - 1].count > 0);
        wf_temporal_graph_free(&g);
    }
    cr_expect_eq(wf_alloc_live(), 0);
}
