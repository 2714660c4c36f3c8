// In a file of its own: what is not in the compiled library is compiled here.
#include "experts/methods.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>
#include <variant>

#include "mor1e/mor1e.hpp"

namespace mor1e::bench {

namespace {

/// `make(experts)` gives the method, any type that peft/method.hpp describes.
template <class B, class Make>
method_case<B> add(std::string name, std::vector<std::string> pictures, int rank, Make make, bool draws_bound = false) {
  return {{std::move(name), std::move(pictures), rank, draws_bound}, [make](group<B>& g, int experts) {
            const auto method = make(experts);
            using M = std::remove_const_t<decltype(method)>;
            const std::vector groups{&g};
            adapted<B> out;
            if constexpr (peft::built_in_methods::has<M>)  // the library has it
              out.set = peft::attach(groups, peft::adapter_spec{.method = method});
            else
              out.set = peft::attach(groups, method);
            out.slots = method.update_rank();
            out.down = index_t(g.parts().size()) * (peft::down_rows(method) + method.router_rows());
            if constexpr (requires { method.intuition; })
              if (method.intuition) out.clusters = experts;
            return out;
          }};
}

/// Softmax again, in a type of its own: only `softmax_router` runs fused.
struct separate_softmax {
  auto operator()(auto& tape, auto logits, auto&) const { return ops::softmax(tape, logits); }
};

/// Experts are pairs: 1 x 1, 1 x 2, 2 x 2, 2 x 4, ...
peft::mix_and_match mix_of(int pairs, bool factorised) {
  int r1 = 1;
  while (4 * r1 * r1 <= pairs) r1 *= 2;
  return {.r1 = r1, .r2 = pairs / r1, .factorised = factorised};
}

}  // namespace

// LoRA has as many ranks as the mixture beside it. Experts of the mixtures have rank four, as all that were published
// but AdaMoLE's (32).
template <class B>
std::vector<method_case<B>> methods() {
  const std::vector<std::string> rank1{"rank1"}, options{"rank1-options"}, both{"rank1", "rank1-options"},
      low_rank{"low-rank"};
  return {
      add<B>("lora", rank1, 1, [](int n) { return peft::lora{.rank = n, .alpha = double(n)}; }),
      add<B>("dora", rank1, 1, [](int n) { return peft::dora{.rank = n, .alpha = double(n)}; }),
      add<B>(
          "mor1e", both, 1, [](int n) { return peft::mor1e{.experts = n}; }, true),
      add<B>("mor1e_composed", rank1, 1, [](int n) { return peft::basic_mor1e<separate_softmax>{.experts = n}; }),
      add<B>("mor1e_before", options, 1, [](int n) { return peft::mor1e{.experts = n, .before = true}; }),
      add<B>("mor1e_low_rank_router", options, 1,
             [](int n) { return peft::mor1e{.experts = n, .low_rank_router = true}; }),
      add<B>("mor1e_top_4", options, 1, [](int n) { return peft::mor1e{.experts = n, .k = std::min(n, 4)}; }),
      add<B>("mor1e_no_router", options, 1, [](int n) { return peft::mor1e{.experts = n, .router = false}; }),
      add<B>("mor1e_no_intuition", options, 1, [](int n) { return peft::mor1e{.experts = n, .intuition = false}; }),
      add<B>("mix", rank1, 1, [](int n) { return mix_of(n, false); }),
      add<B>("mix_factorised", rank1, 1, [](int n) { return mix_of(n, true); }),
      add<B>("lora_of_rank_4n", low_rank, 4, [](int n) { return peft::lora{.rank = 4 * n, .alpha = 4.0 * n}; }),
      add<B>(
          "molora", low_rank, 4, [](int n) { return peft::molora{.experts = n}; }, true),
      add<B>("sira", low_rank, 4,
             [](int n) { return peft::sira{.experts = n, .k = std::min(n, 4), .gate_dropout = 0}; }),
      add<B>("loramoe", low_rank, 4, [](int n) { return peft::loramoe{.experts = n, .dropout = 0}; }),
      add<B>("hydralora", low_rank, 4, [](int n) { return peft::hydralora{.experts = n}; }),
      add<B>("adamole", low_rank, 4, [](int n) { return peft::adamole{.experts = n, .rank = 4}; }),
  };
}

template std::vector<method_case<cpu>> methods();
#ifdef MOR1E_WITH_CUDA
template std::vector<method_case<cuda>> methods();
#endif

}  // namespace mor1e::bench
