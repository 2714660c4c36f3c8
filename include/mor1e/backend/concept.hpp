// What an op may ask of a back end: one named concept for each primitive.
//
// Primitives are free functions found by the type of the device; a back end that lacks one fails here, by name.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "mor1e/backend/adam_step.hpp"
#include "mor1e/backend/arithmetic.hpp"
#include "mor1e/backend/array.hpp"
#include "mor1e/backend/cluster.hpp"
#include "mor1e/backend/dropout.hpp"
#include "mor1e/backend/noise.hpp"
#include "mor1e/backend/operand_rounding.hpp"
#include "mor1e/backend/rank1_gates.hpp"
#include "mor1e/backend/routing.hpp"
#include "mor1e/backend/sgd_step.hpp"
#include "mor1e/backend/transpose.hpp"
#include "mor1e/core/attention_shape.hpp"
#include "mor1e/core/rotary_frequencies.hpp"
#include "mor1e/core/row_source.hpp"
#include "mor1e/core/view.hpp"

namespace mor1e {

/// Memory. `upload` returns when the host memory may be reused, `download` when the values are there, `finish` when all
/// that was asked for is done. `take` and `give_back` are `allocate` and `deallocate` from blocks that the device
/// keeps. `arithmetic` says what the last bits of results depend on.
template <class B>
concept HasMemory = requires(B b, void* p, std::size_t n, typename B::template view<float> v) {
  { b.allocate(n) } -> std::same_as<void*>;
  b.deallocate(p);
  { b.take(n) } -> std::same_as<void*>;
  b.give_back(p, n);
  b.upload(p, p, n);
  b.download(p, p, n);
  b.finish();
  { b.arithmetic() } -> std::same_as<backend::arithmetic>;
  fill(b, 0.0f, v);
};

/// A device whose memory is the host's own: what algorithms on the host multiply with. Every back end has one beside
/// it, itself or another, as `device.host()`.
template <class B>
concept HostDevice = HasMemory<B> && std::same_as<view_of<B, float>, view<float>>;
template <class B>
concept HasHost = HasMemory<B> && requires(B b) {
  requires HostDevice<std::remove_reference_t<decltype(b.host())>>;
};
template <class B>
using host_of = std::remove_reference_t<decltype(std::declval<B&>().host())>;

/// Frozen weights [outputs, inputs], made of values in host memory: copied, or left there if a device can read them.
template <class B, class T>
concept HasFrozen = HasMemory<B> &&
    requires(B b, tensor<T> values, view<const T> mapped, std::shared_ptr<const void> keep,
             const typename B::template frozen<T>& w, view_of<B, T> y) {
  {typename B::template frozen<T>(b, std::move(values))};
  {typename B::template frozen<T>(b, mapped, keep)};
  { read_frozen(b, w) } -> std::same_as<tensor<T>>;
  row_squares(b, w, y);
};

/// Frozen weights that stay in the form in which a file has them, and are decoded for each use.
template <class B, class T>
concept HasStoredFrozen = requires(B b, std::shared_ptr<const row_source<T>> stored) {
  {typename B::template frozen<T>(b, stored)};
};

template <class B, class T>
concept HasGemm = requires(B b, backend::transpose t, T s, view_of<B, const T> x, view_of<B, T> y) {
  gemm(b, t, t, s, x, x, s, y);
};

/// The same for each of n blocks of rows
template <class B, class T>
concept HasBatchedGemm = requires(B b, index_t n, backend::transpose t, T s, view_of<B, const T> x, view_of<B, T> y) {
  batched_gemm(b, n, t, t, s, x, x, s, y);
};

/// y = x^T + beta y
template <class B, class T>
concept HasTransposed = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  transposed(b, x, s, y);
};

/// y = x op(W) + beta y for a frozen weight W [out, in]; `yes` reads it transposed: y = x W^T. The operands may be
/// rounded, unless the last argument says otherwise.
template <class B, class T>
concept HasFrozenGemm = HasGemm<B, T> && requires(B b, backend::transpose t, T s, view_of<B, const T> x,
                                                  const typename B::template frozen<T>& w, view_of<B, T> y) {
  frozen_gemm(b, t, x, w, s, y, backend::operand_rounding::avoided);
};

template <class B, class T>
concept HasBias = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  add_bias(b, x, y);
  column_sums(b, x, s, y);
};

template <class B, class T>
concept HasSoftmax = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  softmax_forward(b, x, y);
  softmax_backward(b, x, x, s, y);
};

template <class B, class T>
concept HasLogSoftmax = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  log_softmax_forward(b, x, y);
  log_softmax_backward(b, x, x, s, y);
};

template <class B, class T>
concept HasRmsNorm = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  rms_norm_forward(b, x, x, s, s, y, y);
  rms_norm_backward(b, x, x, s, x, x, s, y);
  rms_norm_weight_gradient(b, x, x, x, s, y);
};

template <class B, class T, class F>
concept HasMap = requires(B b, F f, T s, view_of<B, const T> x, view_of<B, T> y) {
  map_forward(b, f, x, y);
  map_backward(b, f, x, x, s, y);
};

/// y = f(a, b) + beta y, and a gradient of it. A row, a column or a single number is repeated.
template <class B, class T, class F>
concept HasZip = requires(B b, F f, T s, view_of<B, const T> x, view_of<B, T> y) {
  zip_forward(b, f, x, x, s, y);
  zip_backward(b, f, x, x, x, s, y);
};

/// The sum of f(a, b) over all elements, and a gradient of it
template <class B, class T, class F>
concept HasZipSum = requires(B b, F f, T s, view_of<B, const T> x, view_of<B, T> y) {
  zip_sum(b, f, s, x, x, y);
  zip_sum_backward(b, f, s, x, x, x, s, y);
};

/// y = a where mask > 0, else b. A row, a column or a single number is repeated.
template <class B, class T>
concept HasSelect = requires(B b, view_of<B, const T> x, view_of<B, T> y) {
  select(b, x, x, x, y);
};

template <class B, class T, class F>
concept HasGated = requires(B b, F f, T s, view_of<B, const T> x, view_of<B, T> y) {
  gated_forward(b, f, x, y);
  gated_backward(b, f, x, x, s, y);
};

/// y = alpha x + beta y
template <class B, class T>
concept HasAxpby = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  axpby(b, s, x, s, y);
};

template <class B, class T>
concept HasGather = requires(B b, T s, view_of<B, const T> x, view_of<B, const std::int32_t> index, view_of<B, T> y) {
  gather_rows(b, s, x, index, y);
  scatter_rows(b, s, x, index, s, y);
};

template <class B, class T>
concept HasFrozenGather = requires(B b, T s, const typename B::template frozen<T>& table,
                                   view_of<B, const std::int32_t> index, view_of<B, T> y) {
  frozen_gather(b, s, table, index, y);
};

template <class B, class T>
concept HasFill = requires(B b, T s, view_of<B, T> y) {
  fill(b, s, y);
};

template <class B, class T>
concept HasRank1Gates = requires(B b, const backend::rank1_gates_shape& s, T beta, view_of<B, const T> x,
                                 view_of<B, const std::int32_t> of, view_of<B, T> y) {
  rank1_gates_forward(b, s, x, x, of, x, x, y);
  rank1_gates_backward(b, s, x, x, of, x, x, x, beta, y, y, y, y);
  rank1_weights(b, s, 0, x, x, of, x, x, y);
};

/// Mean entropy and mean shares of rows of weights
template <class B, class T>
concept HasRouterStatistics = requires(B b, view_of<B, const T> w, view_of<B, const std::int32_t> of, view_of<B, T> y) {
  router_statistics(b, w, of, y);
};

template <class B, class T>
concept HasDropout = requires(B b, const backend::dropout_shape& s, T beta, view_of<B, const T> x,
                              view_of<B, const std::int32_t> of, view_of<B, T> y) {
  dropout(b, s, x, of, of, of, beta, y);
};

template <class B, class T>
concept HasNoise = requires(B b, const backend::noise_shape& s, T beta, view_of<B, const T> x,
                            view_of<B, const std::int32_t> of, view_of<B, T> y) {
  multiply_noise(b, s, x, of, of, of, beta, y);
};

template <class B, class T>
concept HasRowNorms = requires(B b, view_of<B, const T> x, view_of<B, T> y) {
  updated_row_norms(b, x, x, x, y);
};

template <class B, class T>
concept HasScaleColumns = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  scale_columns(b, x, x, x, s, y);
  scale_columns_gradient(b, x, x, x, s, y);
};

/// Sums and copies along the middle of columns [outer, copies, inner]
template <class B, class T>
concept HasFold = requires(B b, index_t n, T s, view_of<B, const T> x, view_of<B, T> y) {
  fold_columns(b, n, n, x, s, y);
  spread_columns(b, n, n, x, s, y);
};

template <class B, class T>
concept HasExpertSlots = requires(B b, const backend::expert_slots_shape& s, T beta, view_of<B, const T> x,
                                  view_of<B, T> y) {
  expert_slots_forward(b, s, x, x, y);
  expert_slots_backward(b, s, x, x, x, beta, y, beta, y);
};

/// Choices of experts: 0 or 1, and no gradient
template <class B, class T>
concept HasRouting = requires(B b, int k, const backend::capacity_shape& s, view_of<B, const T> x,
                              view_of<B, const std::int32_t> instances, view_of<B, T> y) {
  top_k_mask(b, k, x, instances, y);
  capacity_mask(b, s, x, instances, y, y);
};

template <class B, class T>
concept HasGroupMean = requires(B b, backend::token_group g, T s, view_of<B, const T> x,
                                view_of<B, const std::int32_t> instances, view_of<B, T> y) {
  group_mean(b, g, x, instances, s, y, y);
};

template <class B, class T>
concept HasNormaliseSum = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  normalise_sum_forward(b, x, y);
  normalise_sum_backward(b, x, x, x, s, y);
};

template <class B, class T>
concept HasExcess = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  excess_forward(b, x, x, y);
  excess_backward(b, x, x, s, y, s, y);
};

template <class B, class T>
concept HasLogSumExp = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  log_sum_exp_forward(b, x, y);
  log_sum_exp_backward(b, x, x, x, s, y);
};

/// y = a b + beta y
template <class B, class T>
concept HasMultiply = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  multiply(b, x, x, s, y);
};

/// y = s x + beta y for a number s in the memory of the device, and its gradient <x, dy>
template <class B, class T>
concept HasScaleBy = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  scale_by(b, x, x, s, y);
  dot(b, x, x, s, y);
};

/// The sum of all elements, and a number, a row or a column repeated
template <class B, class T>
concept HasSum = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  sum(b, x, s, y);
  broadcast(b, x, s, y);
};

template <class B, class T>
concept HasCrossEntropy = HasSum<B, T> && HasMultiply<B, T> &&
    requires(B b, T s, view_of<B, const T> x, view_of<B, const std::int32_t> targets, view_of<B, T> y) {
  target_share(b, targets, y);
  cross_entropy_forward(b, x, targets, y, y);
  cross_entropy_backward(b, x, targets, x, x, s, y);
};

template <class B, class T>
concept HasLinearCrossEntropy = HasFrozenGemm<B, T> && HasSum<B, T> && HasMultiply<B, T> && HasScaleBy<B, T> &&
    requires(B b, view_of<B, const std::int32_t> targets, view_of<B, T> y) {
  cross_entropy_in_place(b, targets, y, y);
};

template <class B, class T>
concept HasRotary = requires(B b, T s, int n, const rotary_frequencies& frequencies, double scaling,
                             view_of<B, const T> x, view_of<B, const std::int32_t> positions, view_of<B, T> y) {
  rotary_angles(b, positions, frequencies, scaling, y);
  rotary_turn(b, n, n, s, x, x, s, y);
};

template <class B, class T>
concept HasAttention = requires(B b, const attention_shape& a, T s, view_of<B, const T> x,
                                view_of<B, const std::int32_t> segments, view_of<B, T> y) {
  attention_forward(b, a, x, x, x, segments, y, y);
  attention_backward(b, a, x, x, x, segments, x, x, x, s, y, y, y, y);
};

template <class B, class T>
concept HasKeyCache = HasAttention<B, T> && requires(B b, const attention_shape& a, view_of<B, const T> x,
                                                     view_of<B, const std::int32_t> segments, view_of<B, T> y) {
  cache_keys(b, a, x, segments, y);
};

/// y = beta y; 0 clears whatever y held
template <class B, class T>
concept HasRescale = requires(B b, T s, view_of<B, T> y) {
  rescale(b, s, y);
};

/// What a training step does with all gradients, one call for all tensors: clears, measures and clips them. The norm
/// stays on the device, so that nothing waits for it.
template <class B, class T>
concept HasGradients = requires(B b, std::span<const view_of<B, T>> tensors, double max_norm,
                                view_of<B, const double> squares, view_of<B, double> y) {
  clear_tensors(b, tensors);
  square_sums(b, tensors, y);
  clip_tensors(b, max_norm, squares, tensors, y);
};

/// The optimiser: one call for all tensors, each of which it reads and writes once
template <class B, class T>
concept HasAdam = requires(B b, std::span<const backend::adam_tensor<view_of<B, T>>> tensors,
                           const backend::adam_step& s, view_of<B, const double> norm,
                           view_of<B, std::int32_t> finite) {
  adam_update(b, tensors, s, norm, finite);
};

template <class B, class T>
concept HasSgd = requires(B b, std::span<const backend::sgd_tensor<view_of<B, T>>> tensors, const backend::sgd_step& s,
                          view_of<B, std::int32_t> finite) {
  sgd_update(b, tensors, s, finite);
};

/// The nearest of centroids [k, d] to points [n, d], and sums of the points of each: backend/cpu/cluster.hpp
template <class B, class T>
concept HasCentroids = requires(B b, view_of<B, const T> x, view_of<B, const double> squares, double largest,
                                const backend::exact_parts& parts, view_of<B, std::int64_t> n,
                                view_of<B, double> sums) {
  assign_to_centroids(b, x, squares, x, largest, parts, n, n, n, sums);
};
/// Their squared distances, for algorithms on the host
template <class B, class T>
concept HasCentroidDistances = HostDevice<B> &&
    requires(B b, view<const T> x, view<const double> squares, double largest, view<double> y) {
  centroid_distances(b, x, squares, x, largest, y);
};

/// The sum of all elements, of each column and of each row
template <class B, class T>
concept HasSums = HasSum<B, T> && HasBias<B, T> && requires(B b, view_of<B, const T> x, view_of<B, T> y) {
  row_sums(b, x, y);
};

/// The largest element (of s x, s being 1 or -1) of all, of each column or of each row, and the way back to it
template <class B, class T>
concept HasLargest = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  largest(b, s, x, y);
  largest_backward(b, x, x, x, s, y);
};

template <class B, class T>
concept HasSegmentMean = requires(B b, T s, view_of<B, const T> x, view_of<B, const std::int32_t> segments,
                                  view_of<B, T> y) {
  segment_mean_forward(b, x, segments, y);
  segment_mean_backward(b, segments, x, s, y);
};

template <class B, class T>
concept HasLayerNorm = HasBias<B, T> && requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  layer_norm_forward(b, x, x, x, s, y, y, y);
  layer_norm_backward(b, x, x, x, x, x, s, y);
  layer_norm_weight_gradient(b, x, x, x, x, s, y);
};

template <class B, class T>
concept HasNormaliseRows = requires(B b, T s, view_of<B, const T> x, view_of<B, T> y) {
  normalise_rows_forward(b, x, s, y, y);
  normalise_rows_backward(b, x, x, s, x, s, y);
};

}  // namespace mor1e
