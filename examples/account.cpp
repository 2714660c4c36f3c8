// account: what a method costs on a backbone, from the configuration alone.
//
//     account --model config.json --method mor1e --experts 20
//     account --table7                        # the paper's own comparison, counted
#include <filesystem>
#include <string>
#include <vector>

#include "mor1e/io/checkpoint.hpp"
#include "mor1e/io/text_file.hpp"
#include "mor1e/models/linears.hpp"
#include "mor1e/models/open.hpp"
#include "mor1e/peft/accounting.hpp"
#include "program.hpp"
#include "table7.hpp"

using namespace mor1e;

namespace {

struct account_options {
  program::common_options common;
  std::string model, method = "mor1e";
  int rank = 32, experts = 32, r1 = 4, r2 = 8;
  bool factorised = false, table7 = false;
  std::vector<std::string> targets;
};

nlohmann::json config_of(const std::string& model) {
  if (model.ends_with(".json")) return io::read_json(model);
  if (std::filesystem::exists(std::filesystem::path(model) / "config.json"))
    return io::read_json(std::filesystem::path(model) / "config.json");
  return models::open(model).config;
}

void table7(const program::common_options& o) {
  const auto parts = program::count_table7();
  program::say(o, "{}", program::table7_text(parts));
  program::write_results(o, program::table7_json(parts));
}

void account(const CLI::App& app, const account_options& o) {
  require<value_error>(!o.model.empty(), "--model or --table7 is needed");
  const models::backbone base = models::backbone_of(config_of(o.model), o.model);
  peft::adapter_spec spec = peft::preset(o.method);
  std::visit(
      [&](auto& method) {
        if constexpr (requires { method.rank; }) {
          const bool mixture = requires { method.experts; };
          if (!mixture || app.count("--rank")) method.rank = o.rank;
        }
        if constexpr (requires { method.experts; })
          if (app.count("--experts")) method.experts = o.experts;
        if constexpr (requires { method.factorised; })
          method.r1 = o.r1, method.r2 = o.r2, method.factorised = o.factorised;
      },
      spec.method);

  if (!o.targets.empty()) spec.targets = o.targets;
  const peft::method_cost cost = peft::cost_on(spec, base.linears, base.layers);
  require<value_error>(cost.linears > 0, "--targets: no linear of ", base.model_type, " is called so");

  program::say(o.common, "{}: {} parameters, {} adapted linears\n", base.model_type, base.parameters, cost.linears);
  program::say(o.common, "{}: {} trainable parameters ({:.2f} % of the base), of which routers {}, scalars {}\n",
               o.method, cost.parameters, 100 * double(cost.parameters) / double(base.parameters),
               cost.router_parameters, cost.scalars);
  program::say(o.common, "forward, one token: {} FLOPs for the update, {} for the routers, {} for the base's linears\n",
               cost.flops(), cost.router_flops(), 2 * base.sum_products());
  program::write_results(o.common, {{"model_type", base.model_type},
                                    {"method", o.method},
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
  const CLI::App* parsed = nullptr;
  return program::run(
      argc, argv, "account", "Trainable parameters and FLOPs of a method on a backbone", options.common,
      [&](CLI::App& app) {
        parsed = &app;
        auto* model = app.add_option("--model", options.model, "config.json, folder, .gguf file or short name");
        app.add_flag("--table7", options.table7, "Table 7 of Intuition-MoR1E, counted, beside the paper's figures")
            ->excludes(model);
        app.add_option("--method", options.method, "lora, mor1e, ...")->capture_default_str();
        app.add_option("--rank", options.rank, "of lora, or of each expert")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
        app.add_option("--experts", options.experts, "of a mixture")->check(CLI::PositiveNumber);
        app.add_option("--r1", options.r1, "of mix: input vectors")->check(CLI::PositiveNumber)->capture_default_str();
        app.add_option("--r2", options.r2, "of mix: output vectors")->check(CLI::PositiveNumber)->capture_default_str();
        app.add_flag("--factorised", options.factorised, "mix with routers of r1 + r2 rows");
        app.add_option("--targets", options.targets, "q_proj,v_proj,...: only these linears")->delimiter(',');
      },
      [&] { options.table7 ? table7(options.common) : account(*parsed, options); });
}
