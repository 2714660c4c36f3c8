// The bound: the products that no form of a method can do without, and nothing else.
#pragma once

#include <utility>
#include <vector>

#include "experts/group.hpp"

namespace mor1e::bench {

/// The products of a group with an update, on memory of their own with the shapes and strides they have in it.
class products {
 public:
  /// `slots`: columns of U of a linear, 0 for none; `down`: rows of V and R of all linears together.
  products(const sizes& s, const group& of, index_t slots, index_t down)
      : of_(&of),
        slots_(slots),
        x_(random(s.tokens, s.in, 1)),
        dx_(random(s.tokens, s.in, 2)),
        y_(random(s.tokens, of.outputs(), 3)) {
    if (!slots) return;
    const index_t rank = slots * index_t(s.out.size());
    down_ = random(down, s.in, 4), ddown_ = random(down, s.in, 5), projected_ = random(s.tokens, down, 6);
    gates_ = random(s.tokens, rank, 7);
    for (const index_t out : s.out) up_.push_back(random(out, slots, 8)), dup_.push_back(random(out, slots, 9));
  }

  void forward() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    if (slots_) gemm(device(), no, yes, 1.f, in(x_), in(down_), 0.f, projected_.matrix());
    each([&](std::size_t p, const auto& w, view<float> y) {
      frozen_gemm(device(), yes, in(x_), w, 0.f, y);
      if (slots_) gemm(device(), no, yes, 1.f, part(gates_, p), in(up_[p]), 1.f, y);
    });
  }
  void backward() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    each([&](std::size_t p, const auto& w, view<const float> dy) {
      frozen_gemm(device(), no, dy, w, p ? 1.f : 0.f, dx_.matrix());
      if (!slots_) return;
      gemm(device(), no, no, 1.f, dy, in(up_[p]), 0.f, gates_.matrix().col_range(index_t(p) * slots_, slots_));
      gemm(device(), yes, no, 1.f, dy, part(gates_, p), 1.f, dup_[p].matrix());
    });
    if (!slots_) return;
    gemm(device(), no, no, 1.f, in(projected_), in(down_), 1.f, dx_.matrix());
    gemm(device(), yes, no, 1.f, in(projected_), in(x_), 1.f, ddown_.matrix());
  }

 private:
  static view<const float> in(const tensor<float>& t) { return t.matrix(); }
  view<const float> part(const tensor<float>& t, std::size_t p) const {
    return in(t).col_range(index_t(p) * slots_, slots_);
  }
  template <class F>
  void each(F f) {
    index_t first = 0;
    for (std::size_t p = 0; p < of_->parts().size(); ++p) {
      const auto& w = of_->parts()[p].w.values();
      f(p, w, y_.matrix().col_range(first, w.rows()));
      first += w.rows();
    }
  }

  const group* of_;
  index_t slots_;
  tensor<float> x_, dx_, y_, down_, ddown_, projected_, gates_;
  std::vector<tensor<float>> up_, dup_;
};

}  // namespace mor1e::bench
