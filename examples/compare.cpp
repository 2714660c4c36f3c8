// compare: every method on one model, the same data, and equal terms.
//
//     compare --out DIR
//     compare --out DIR --contestants lora,mor1e,mor1e+random --data FOLDER --steps 200
//     compare --out DIR --tune 5e-4,1e-3,2e-3,4e-3 --dev-limit 40    # each method at its own best rate
//
// The first is the generated suite, three seeds, an update of one scale per rank and as many parameters for all. A
// contestant is the name of a method with options behind it: mor1e+no-intuition, mor1e+random (a random direction for
// every text in place of its intuition), mor1e+experts=8. The first is what the others are held against. DIR/runs holds
// a folder a contestant and seed with its adapter and run.json, DIR/compare.md (.tex, .csv, .json, .svg) the report;
// what is finished there is not run again, and what was stopped goes on.
#include "experiments/matrix_program.hpp"

int main(int argc, char** argv) {
  mor1e::program::matrix_program compare{
      .name = "compare", .description = "Methods held against each other on equal terms", .options = {}};
  compare.options.contestants =  // rslora at the scale of lora is lora
      "lora,dora,molora,sira,loramoe,hydralora,adamole,mix,mor1e,mor1e-paper,mor1e+low-rank-router,mor1e+no-router,"
      "mor1e+no-intuition,mor1e+random";
  return mor1e::program::run_matrix(argc, argv, compare);
}
