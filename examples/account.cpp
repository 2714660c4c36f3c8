// account: what a method costs on a backbone, from the configuration alone.
//
//     account --model config.json --method mor1e --experts 20
#include <string>

#include "method_options.hpp"
#include "model_config.hpp"
#include "mor1e/models/linears.hpp"
#include "mor1e/peft/accounting.hpp"
#include "program.hpp"

using namespace mor1e;

namespace {

struct account_options {
  program::common_options common;
  program::method_options method;
  std::string model;
};

void account(const account_options& o) {
  require<value_error>(!o.model.empty(), "--model is needed");
  const models::backbone base = models::backbone_of(program::config_of(o.model), o.model);
  const peft::adapter_spec spec = program::spec_of(o.method, o.common.seed, 1);
  const peft::method_cost cost = peft::cost_on(spec, base.linears, base.layers);
  require<value_error>(cost.linears > 0, "--targets: no linear of ", base.model_type, " is called so");

  program::say(o.common, "{}: {} parameters, {} adapted linears\n", base.model_type, base.parameters, cost.linears);
  program::say(o.common, "{}: {} trainable parameters ({:.2f} % of the base), of which routers {}, scalars {}\n",
               o.method.method, cost.parameters, 100 * double(cost.parameters) / double(base.parameters),
               cost.router_parameters, cost.scalars);
  program::say(o.common, "forward, one token: {} FLOPs for the update, {} for the routers, {} for the base's linears\n",
               cost.flops(), cost.router_flops(), 2 * base.sum_products());
  program::write_results(o.common, {{"model_type", base.model_type},
                                    {"method", o.method.method},
                                    {"linears", cost.linears},
                                    {"base_parameters", base.parameters},
                                    {"parameters", cost.parameters},
                                    {"router_parameters", cost.router_parameters},
                                    {"scalars", cost.scalars},
                                    {"flops", cost.flops()},
                                    {"router_flops", cost.router_flops()},
                                    {"base_flops", 2 * base.sum_products()}});
}

}  // namespace

int main(int argc, char** argv) {
  account_options options;
  return program::run(
      argc, argv, "account", "Trainable parameters and FLOPs of a method on a backbone", options.common,
      [&](CLI::App& app) {
        app.add_option("--model", options.model, "config.json, folder, .gguf file or short name");
        program::add_method_options(app, options.method, false);
      },
      [&] { account(options); });
}
