// The bound: the products that no form of a method can do without, and nothing else.
#pragma once

#include <utility>
#include <vector>

#include "experts/group.hpp"
#include "mor1e/backend/array.hpp"

namespace mor1e::bench {

/// The products of a group with an update, on memory of their own with the shapes and strides they have in it.
template <class B>
class products {
 public:
  /// `slots`: columns of U of a linear, 0 for none; `down`: rows of V and R of all linears together.
  products(B& device, const sizes& s, const group<B>& of, index_t slots, index_t down)
      : device_(&device),
        of_(&of),
        slots_(slots),
        x_(device, random(s.tokens, s.in, 1)),
        dx_(device, random(s.tokens, s.in, 2)),
        y_(device, random(s.tokens, of.outputs(), 3)) {
    if (!slots) return;
    const index_t rank = slots * index_t(s.out.size());
    down_ = {device, random(down, s.in, 4)}, ddown_ = {device, random(down, s.in, 5)};
    projected_ = {device, random(s.tokens, down, 6)}, gates_ = {device, random(s.tokens, rank, 7)};
    for (const index_t out : s.out) {
      up_.emplace_back(device, random(out, slots, 8));
      dup_.emplace_back(device, random(out, slots, 9));
    }
  }

  void forward() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    if (slots_) gemm(*device_, no, yes, 1.f, in(x_), in(down_), 0.f, projected_.matrix());
    each([&](std::size_t p, const auto& w, view_of<B, float> y) {
      frozen_gemm(*device_, yes, in(x_), w, 0.f, y);
      if (slots_) gemm(*device_, no, yes, 1.f, part(gates_, p), in(up_[p]), 1.f, y);
    });
  }
  void backward() {
    constexpr auto no = backend::transpose::no, yes = backend::transpose::yes;
    each([&](std::size_t p, const auto& w, view_of<B, const float> dy) {
      frozen_gemm(*device_, no, dy, w, p ? 1.f : 0.f, dx_.matrix());
      if (!slots_) return;
      gemm(*device_, no, no, 1.f, dy, in(up_[p]), 0.f, gates_.matrix().col_range(index_t(p) * slots_, slots_));
      gemm(*device_, yes, no, 1.f, dy, part(gates_, p), 1.f, dup_[p].matrix());
    });
    if (!slots_) return;
    gemm(*device_, no, no, 1.f, in(projected_), in(down_), 1.f, dx_.matrix());
    gemm(*device_, yes, no, 1.f, in(projected_), in(x_), 1.f, ddown_.matrix());
  }

 private:
  using values = array<B, float>;
  static view_of<B, const float> in(const values& t) { return t.matrix(); }
  view_of<B, const float> part(const values& t, std::size_t p) const {
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

  B* device_;
  const group<B>* of_;
  index_t slots_;
  values x_, dx_, y_, down_, ddown_, projected_, gates_;
  std::vector<values> up_, dup_;
};

}  // namespace mor1e::bench
