// Auxiliary losses of a router, each times its weight.
#pragma once

#include "mor1e/backend/routing.hpp"
#include "mor1e/ops/add.hpp"
#include "mor1e/ops/group_mean.hpp"
#include "mor1e/ops/log_sum_exp.hpp"
#include "mor1e/ops/multiply.hpp"
#include "mor1e/ops/normalise_sum.hpp"
#include "mor1e/ops/scale.hpp"
#include "mor1e/ops/scale_by.hpp"
#include "mor1e/ops/sum.hpp"
#include "mor1e/peft/adapter_context.hpp"
#include "mor1e/peft/description.hpp"

namespace mor1e::peft {

/// Weights of the losses; 0 leaves one out. p = softmax(logits) [tokens, E], S live tokens in a group, c_e of them sent
/// to expert e (constant in the backward), m_e = mean of p_e. The mean over groups is weighted by their tokens; over
/// the micro-batches of a step, by theirs.
struct router_losses {
  double gshard = 0;     ///< (1/E) sum_e (c_e / S) m_e.  Lepikhin et al. 2020
  double balance = 0;    ///< E sum_e f_e m_e, f_e = c_e / sum c: 1 when balanced.  Switch, Fedus et al. 2021
  double variation = 0;  ///< squared coefficient of variation of the m_e over the experts.  Shazeer et al. 2017
  double z = 0;          ///< mean of (log sum_e exp logit_e)^2.  Zoph et al. 2022
  double entropy = 0;    ///< mean of -sum_e p_e log p_e

  friend bool operator==(const router_losses&, const router_losses&) = default;
  bool any() const { return gshard != 0 || balance != 0 || variation != 0 || z != 0 || entropy != 0; }
};

/// The fields of the losses, see peft/description.hpp.
template <class F>
void loss_fields(router_losses& losses, stored kept, F f) {
  const auto loss = [&](double& weight, const char* key, const char* option, const char* help) {
    f(weight,
      {.key = key, .option = option, .help = help, .takes = accepts::not_negative, .kept = kept, .of_training = true});
  };
  loss(losses.gshard, "gshard_loss", "--gshard-loss", "weight of a loss of every router: GShard's of balance");
  loss(losses.balance, "balance_loss", "--balance-loss", "weight of a loss of every router: Switch's of balance");
  loss(losses.variation, "variation_loss", "--variation-loss",
       "weight of a loss of every router: squared coefficient of variation of the experts' load");
  loss(losses.z, "z_loss", "--z-loss", "weight of a loss of every router: squared log-sum-exp of the logits");
  loss(losses.entropy, "entropy_loss", "--entropy-loss",
       "weight of a loss of every router: entropy of a token's weights");
}

/// Leaves the losses of one router in `step` while training. `chosen` [tokens, E] is 1 where a token is sent.
template <class B, class T>
void add_router_losses(tape<B>& t, const router_losses& weigh, var<T> logits, var<T> p, var<T> chosen,
                       backend::token_group group, adapter_context<B, T>& step) {
  if (!step.mode.training || !weigh.any()) return;
  require<value_error>(bool(step.batch.token_scale),
                       "router losses: this step does not say how many tokens it has (token_scale)");
  const double experts = double(p.cols);
  var<T> sum;  // over the live tokens
  const auto add = [&](double weight, var<T> values) {
    const var<T> term = ops::scale(t, ops::sum(t, values), weight);
    sum = sum ? ops::add(t, sum, term) : term;
  };
  const auto mean = [&](var<T> x, backend::token_group of) { return ops::group_mean(t, x, step.batch.instances, of); };
  if (weigh.gshard != 0 || weigh.balance != 0) {
    const var<T> sent = mean(chosen, group);  // c_e / S in each live row
    if (weigh.gshard != 0) add(weigh.gshard / experts, ops::multiply(t, p, sent));
    if (weigh.balance != 0) add(weigh.balance * experts, ops::multiply(t, p, ops::normalise_sum(t, sent)));
  }
  if (weigh.variation != 0) {
    // The m_e add up to 1: var / mean^2 = E sum_e m_e^2 - 1, and each live row brings its own 1.
    const var<T> m = mean(p, group);
    add(weigh.variation * experts, ops::multiply(t, m, m));
    add(-weigh.variation, m);
  }
  if (weigh.z != 0 || weigh.entropy != 0) {
    const var<T> z = mean(ops::log_sum_exp(t, logits), backend::token_group::token);
    if (weigh.z != 0) add(weigh.z, ops::multiply(t, z, z));
    if (weigh.entropy != 0) {  // -log p_e = z - logit_e
      add(weigh.entropy, z);
      add(-weigh.entropy, ops::multiply(t, mean(p, backend::token_group::token), logits));
    }
  }
  const var<T> loss = ops::scale_by(t, sum, step.batch.token_scale);
  t.keep(loss);
  step.auxiliary_losses.push_back(loss);
}

}  // namespace mor1e::peft
