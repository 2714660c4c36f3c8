// Methods by name: those of the library, and one that only this test has.
#include "mor1e/peft/registry.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "mor1e/backend/cpu.hpp"
#include "mor1e/backend/reference.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/peft/matching.hpp"
#include "mor1e/testing/random.hpp"
#include "mor1e/testing/temporary_folder.hpp"
#include "peft/adapter_folder.hpp"
#include "peft/layer.hpp"

using namespace mor1e;

namespace {

enum class side : std::uint8_t { none, left, right };
constexpr std::array<std::string_view, 3> names_of(side) { return {"", "left", "right"}; }

/// z = W x + share B A x, with a field of every kind.
struct shared_lora {
  static constexpr const char* label = "shared";
  int rank = 2, part = 1;
  double share = 0.5;
  bool whole = true;
  side of = side::left;

  friend bool operator==(const shared_lora&, const shared_lora&) = default;
  template <class F>
  void fields(F f) {
    f(rank, {.key = "r", .option = "--rank", .takes = peft::accepts::size, .least = 1});
    f(part, {.key = "part", .takes = peft::accepts::count, .part_of = "r"});
    f(share, {.key = "share", .takes = peft::accepts::fraction});
    f(whole, {.key = "whole", .kept = peft::stored::later});
    f(of, {.key = "side"});
  }
  int update_rank() const { return rank; }
  int router_rows() const { return 0; }
  double scale() const { return share; }
  std::vector<peft::own_parameter> own_parameters() const { return {}; }
  template <class B, class T>
  var<T> gates(tape<B>&, var<T> x, int, std::span<const var<T>>, peft::adapter_context<B, T>&) const {
    return x;
  }
};
/// Another method that says it is the same, or stored as one that is there.
template <int Kind>
struct impostor : shared_lora {
  static constexpr const char* label = Kind == 0 ? "lora" : "impostor";
  static constexpr const char* peft_type = Kind == 1 ? "SIRA" : "IMPOSTOR";
  friend bool operator==(const impostor&, const impostor&) = default;
};

const peft::registration<shared_lora, peft::on<cpu, float>> known;

}  // namespace

TEST_CASE("a method of one's own is attached, stored, loaded and matched as the library's are") {
  const auto names = peft::method_names();
  REQUIRE(std::count(names.begin(), names.end(), "shared") == 1);
  peft::adapter_spec spec = peft::preset("shared");
  CHECK(spec.method.as<shared_lora>() == shared_lora{});
  spec.method.as<shared_lora>() = {.rank = 3, .part = 2, .share = 0.25, .whole = false, .of = side::right};
  spec.targets = {"q_proj"};

  const auto model = testing::load_base(), other = testing::load_base();
  auto set = peft::attach(*model, spec);
  std::uint64_t key = 0;
  for (auto* p : set.parameters()) p->write(testing::random<float>(p->extents(), ++key));
  const testing::temporary_folder scratch;
  peft::save_adapter(scratch / "a", set, {.spec = spec});
  const nlohmann::json config = io::read_json(scratch / "a" / "adapter_config.json");
  CHECK(config.at("peft_type") == "SHARED");
  CHECK(config.at("side") == "right");
  auto loaded = peft::load_adapter(*other, scratch / "a");
  CHECK(loaded.record.spec == spec);
  CHECK(testing::same_values(set, loaded.set));

  // An adapter of before a field came; a value that no option takes; a choice that is none.
  nlohmann::json older = config;
  older.erase("whole");
  CHECK(peft::spec_from_json(older, "older").method.as<shared_lora>().whole);
  const auto refused = [&](const char* field, const nlohmann::json& value) {
    nlohmann::json changed = config;
    changed[field] = value;
    CHECK_THROWS_WITH_AS(peft::spec_from_json(changed, "it"), text("it: '", field, "' is ", value.dump()).c_str(),
                         io_error);
  };
  refused("r", 0), refused("r", 2'000'000), refused("part", -1), refused("share", 1.5), refused("side", "above");

  // Two ranks in three go on being the part; the scale, which the method cannot change, stays.
  const std::vector<peft::linear_size> linears{{10, 20}};
  const auto matched = peft::match_parameters(spec.method, linears, 30 * 9).as<shared_lora>();
  CHECK(matched == shared_lora{.rank = 9, .part = 6, .share = 0.25, .whole = false, .of = side::right});
  CHECK_THROWS_WITH_AS(peft::scaled(spec, 2), "shared: the scale of its update is fixed", value_error);
}

TEST_CASE("a method is known for the back ends that it was registered for") {
  auto group = testing::layer::linears({4});
  CHECK_THROWS_WITH_AS(peft::attach(std::vector{&group}, peft::preset("shared")),
                       "method 'shared' is not registered for this back end and element type, see registration",
                       value_error);
  CHECK(group.attached() == nullptr);
}

TEST_CASE("names are taken once") {
  const std::size_t count = peft::known_methods().size();
  const peft::registration<shared_lora, peft::on<cpu, float>> again;
  CHECK(peft::known_methods().size() == count);
  CHECK_THROWS_WITH_AS((peft::registration<impostor<0>>()), "method 'lora': another method is called so", value_error);
  CHECK_THROWS_WITH_AS((peft::registration<impostor<1>>()), "method 'impostor': its peft_type 'SIRA' is that of sira",
                       value_error);
  CHECK(peft::known_methods().size() == count);
}

TEST_CASE("any method is a value") {
  peft::any_method a = peft::lora{.rank = 4}, b = a;
  CHECK(a == b);
  b.set("r", 5);
  CHECK(a.as<peft::lora>().rank == 4);
  CHECK(b.as<peft::lora>().rank == 5);
  CHECK(a != b);
  CHECK(a != peft::any_method(peft::dora{.rank = 4}));
  CHECK(a.get_if<peft::dora>() == nullptr);
  CHECK_THROWS_WITH_AS(a.as<peft::dora>(), "the method is lora, not dora", value_error);
  a = peft::mor1e{.experts = 3};
  CHECK(a.needs().clusters == 3);
  CHECK(peft::value_of<int>(a, "experts") == 3);
  CHECK_THROWS_WITH_AS(peft::value_of<int>(a, "r"), "mor1e has no 'r'", value_error);
}

TEST_CASE("the fields of a method have a key each, and those of one option are of one kind") {
  std::map<std::string, std::size_t> kinds;
  for (const peft::known_method& k : peft::known_methods()) {
    CAPTURE(k.name);
    std::set<std::string> keys;
    for (const peft::described_field& f : k.method.fields()) {
      CAPTURE(f.about.key);
      CHECK(keys.insert(f.about.key).second);
      if (!f.about.option) continue;
      CHECK(std::string(f.about.option).starts_with("--"));
      CHECK(kinds.emplace(f.about.option, f.value.index()).first->second == f.value.index());
    }
  }
}
