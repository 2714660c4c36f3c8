// Definitions of backend/cuda/rank1_gates.hpp.
//
// A warp has one part of one row at a time. What it reads stays in the registers of its lanes, so that softmax, gates
// and their backward are one pass.
#pragma once

#include <cmath>

#include "mor1e/backend/cuda/rank1_gates.hpp"
#include "mor1e/core/math.hpp"
#include "mor1e/kernels/lane_values.cuh"

namespace mor1e::backend::kernels {

/// c_token t, c_intuition (1 - t) and o of one part, and 100 t (1 - t), 100 o (1 - o) for the backward.
template <class T>
struct part_gates {
  T token, intuition, output = T(1), token_slope = T(0), output_slope = T(0);

  __device__ part_gates(const rank1_gates_shape& s, const T* a, const T* b, int part)
      : token(T(s.c_token)), intuition(T(s.c_intuition)) {
    if (!s.learned_gates) return;
    // 1 - sigmoid(v) as sigmoid(-v): the difference is 0 in float from v = 17 on.
    const T x = T(gate_sharpness) * a[part], y = T(gate_sharpness) * b[part];
    const T t = math::sigmoid(x), rest = math::sigmoid(-x);
    output = math::sigmoid(y);
    token_slope = T(gate_sharpness) * t * rest;
    output_slope = T(gate_sharpness) * output * math::sigmoid(-y);
    token *= t, intuition *= rest;
  }
};

/// exp(l - largest) / sum of the logits of a part, at each lane's columns; 0 without a router.
template <class T, int Held>
struct lane_softmax {
  lane_values<T, Held> logits;
  T largest = T(0), share = T(0);

  __device__ lane_softmax(const rank1_gates_shape& s, const T* x, int part)
      : logits(x + (s.router ? s.logits(part) : s.products(part)), s.experts) {
    if (!s.router) return;
    largest = T(-INFINITY);
    each_lane_value<Held>(s.experts, [&](int k, int) { largest = logits.at(k) > largest ? logits.at(k) : largest; });
    largest = warp_max(largest);
    each_lane_value<Held>(s.experts, [&](int k, int) { share += math::exp(logits.at(k) - largest); });
    share = T(1) / warp_sum(share);
  }
  __device__ T at(int k) const { return share == T(0) ? T(0) : math::exp(logits.at(k) - largest) * share; }
};

/// Where the intuition of a row and part lies; null without.
template <class T>
__device__ const T* intuition_of(const rank1_gates_shape& s, device_view<const T> intuition, std::int32_t instance,
                                 int part) {
  return s.intuition && instance >= 0 ? row(intuition, instance) + s.intuition_column(part) : nullptr;
}

/// g = weights times products of all parts; or (only >= 0) the weights of one part.
template <class T, int Held>
__global__ void __launch_bounds__(256)
    rank1_gates_forward_kernel(rank1_gates_shape s, int only, device_view<const T> x, device_view<const T> intuition,
                               device_view<const std::int32_t> instances, const T* a, const T* b, device_view<T> g) {
  const int parts = only < 0 ? s.parts : 1;
  const index_t tasks = x.rows * parts;
  for (index_t task = blockIdx.x * index_t(blockDim.y) + threadIdx.y; task < tasks;
       task += gridDim.x * index_t(blockDim.y)) {
    const index_t i = task / parts;
    const int part = only < 0 ? int(task % parts) : only;
    const part_gates<T> c(s, a, b, part);
    const T *values = row(x, i), *felt = intuition_of(s, intuition, *row(instances, i), part);
    const lane_softmax<T, Held> p(s, values, part);
    T* to = row(g, i) + (only < 0 ? s.products(part) : 0);
    each_lane_value<Held>(s.experts, [&](int k, int j) {
      T w = c.token * p.at(k);
      if (felt) w += c.intuition * felt[j];
      to[j] = c.output * w * (only < 0 ? values[s.products(part) + j] : T(1));
    });
  }
}

/// dx, and of every warp the sums of its rows for da and db (where `parts` is not null): a warp stays with one part.
template <class T, int Held>
__global__ void __launch_bounds__(256)
    rank1_gates_backward_kernel(rank1_gates_shape s, device_view<const T> x, device_view<const T> intuition,
                                device_view<const std::int32_t> instances, const T* a, const T* b,
                                device_view<const T> dg, T beta, device_view<T> dx, T* sums) {
  const int warp = int(blockIdx.x * blockDim.y + threadIdx.y), warps = int(gridDim.x * blockDim.y) / s.parts;
  const int part = warp % s.parts;
  const part_gates<T> c(s, a, b, part);
  T da = T(0), db = T(0);
  for (index_t i = warp / s.parts; i < x.rows; i += warps) {
    const T *values = row(x, i), *felt = intuition_of(s, intuition, *row(instances, i), part);
    const lane_softmax<T, Held> p(s, values, part);
    const lane_values<T, Held> products(values + s.products(part), s.experts);
    const lane_values<T, Held> d(row(dg, i) + s.products(part), s.experts);
    T dot = T(0);
    each_lane_value<Held>(s.experts, [&](int k, int j) {
      const T share = p.at(k), of_intuition = felt ? felt[j] : T(0), dw = d.at(k) * c.output * products.at(k);
      const T w = c.token * share + c.intuition * of_intuition;
      if (dx.address()) {
        T& to = row(dx, i)[s.products(part) + j];
        to = blend(d.at(k) * c.output * w, beta, to);
      }
      da += dw * c.token_slope * (T(s.c_token) * share - T(s.c_intuition) * of_intuition);
      db += d.at(k) * w * products.at(k) * c.output_slope;
      dot += dw * c.token * share;
    });
    if (!s.router || !dx.address()) continue;
    dot = warp_sum(dot);
    each_lane_value<Held>(s.experts, [&](int k, int j) {
      T& to = row(dx, i)[s.logits(part) + j];
      to = blend(p.at(k) * (d.at(k) * c.output * products.at(k) * c.token - dot), beta, to);
    });
  }
  if (!sums) return;
  da = warp_sum(da), db = warp_sum(db);
  if (threadIdx.x == 0) sums[2 * warp] = da, sums[2 * warp + 1] = db;
}

/// The sums of all warps of a part added to da and db: a warp a part.
template <class T>
__global__ void rank1_gate_sums_kernel(int parts, int warps, const T* sums, T* da, T* db) {
  const int part = int(blockIdx.x);
  T a = T(0), b = T(0);
  for (int w = threadIdx.x; w < warps; w += 32)
    a += sums[2 * (w * parts + part)], b += sums[2 * (w * parts + part) + 1];
  a = warp_sum(a), b = warp_sum(b);
  if (threadIdx.x > 0) return;
  if (da) da[part] += a;
  if (db) db[part] += b;
}

/// The gradient of one instance's intuition in 32 columns of one part: 8 warps share its rows.
template <class T>
__global__ void __launch_bounds__(256)
    rank1_intuition_kernel(rank1_gates_shape s, device_view<const T> x, device_view<const std::int32_t> instances,
                           const T* a, const T* b, device_view<const T> dg, device_view<T> dintuition) {
  __shared__ T of_warp[8][32];
  const int j = int(blockIdx.y) * 32 + int(threadIdx.x);
  T total = T(0);
  // Parts that share columns are added one after the other.
  const int first = s.own_intuition ? int(blockIdx.z) : 0, last = s.own_intuition ? first + 1 : s.parts;
  for (int part = first; part < last; ++part) {
    const part_gates<T> c(s, a, b, part);
    T sum = T(0);
    for (index_t i = threadIdx.y; i < x.rows; i += 8)
      if (*row(instances, i) == std::int32_t(blockIdx.x) && j < s.experts)
        sum += row(dg, i)[s.products(part) + j] * c.output * row(x, i)[s.products(part) + j] * c.intuition;
    total += sum;
  }
  of_warp[threadIdx.y][threadIdx.x] = total;
  __syncthreads();
  if (threadIdx.y > 0 || j >= s.experts) return;
  for (int w = 1; w < 8; ++w) total += of_warp[w][threadIdx.x];
  row(dintuition, blockIdx.x)[s.intuition_column(first) + j] += total;
}

template <class T>
void rank1_gates_forward(launch_target target, const rank1_gates_shape& s, int only, device_view<const T> x,
                         device_view<const T> intuition, device_view<const std::int32_t> instances,
                         device_view<const T> a, device_view<const T> b, device_view<T> g) {
  const index_t tasks = x.rows * (only < 0 ? s.parts : 1);
  if (tasks == 0) return;
  const unsigned blocks = unsigned(std::min<index_t>((tasks + 7) / 8, index_t(target.multiprocessors) * 32));
  with_held_values(s.experts, [&](auto held) {
    rank1_gates_forward_kernel<T, decltype(held)::value>
        <<<blocks, dim3(32, 8), 0, target.stream>>>(s, only, x, intuition, instances, a.address(), b.address(), g);
  });
  check_launch("rank1_gates_forward");
}

template <class T>
void rank1_gates_backward(launch_target target, const rank1_gates_shape& s, device_view<const T> x,
                          device_view<const T> intuition, device_view<const std::int32_t> instances,
                          device_view<const T> a, device_view<const T> b, device_view<const T> dg, T beta,
                          device_view<T> dx, device_view<T> dintuition, device_view<T> da, device_view<T> db, T* sums) {
  if (x.rows == 0) return;
  const int warps = rank1_gates_warps(s, x.rows);
  const bool gates = s.learned_gates && !(da.empty() && db.empty());
  if (gates || !dx.empty()) {
    with_held_values(s.experts, [&](auto held) {
      rank1_gates_backward_kernel<T, decltype(held)::value>
          <<<unsigned(warps * s.parts / 8), dim3(32, 8), 0, target.stream>>>(
              s, x, intuition, instances, a.address(), b.address(), dg, beta, dx.empty() ? device_view<T>() : dx,
              gates ? sums : nullptr);
    });
    if (gates)
      rank1_gate_sums_kernel<<<unsigned(s.parts), 32, 0, target.stream>>>(
          s.parts, warps, sums, da.empty() ? nullptr : da.address(), db.empty() ? nullptr : db.address());
  }
  if (!dintuition.empty() && s.intuition)
    rank1_intuition_kernel<<<dim3(unsigned(dintuition.rows), unsigned(s.experts + 31) / 32,
                                  unsigned(s.own_intuition ? s.parts : 1)),
                             dim3(32, 8), 0, target.stream>>>(s, x, instances, a.address(), b.address(), dg,
                                                              dintuition);
  check_launch("rank1_gates_backward");
}

}  // namespace mor1e::backend::kernels
