#include "mor1e/mor1e.hpp"

namespace mor1e {

template var<float> tape<cpu>::apply<ops::add_op, float>(const ops::add_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::columns_op, float>(const ops::columns_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::concat_columns_op, float>(const ops::concat_columns_op::attributes&,
                                                                    operands);
template var<float> tape<cpu>::apply<ops::frozen_linear_op, float>(const ops::frozen_linear_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::gather_rows_op, float>(const ops::gather_rows_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::layer_norm_op, float>(const ops::layer_norm_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::linear_op, float>(const ops::linear_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::multiply_op, float>(const ops::multiply_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::normalise_rows_op, float>(const ops::normalise_rows_op::attributes&,
                                                                    operands);
template var<float> tape<cpu>::apply<ops::rank1_gates_op, float>(const ops::rank1_gates_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::rank1_weights_op, float>(const ops::rank1_weights_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::rms_norm_op, float>(const ops::rms_norm_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::router_statistics_op, float>(const ops::router_statistics_op::attributes&,
                                                                       operands);
template var<float> tape<cpu>::apply<ops::scale_op, float>(const ops::scale_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::scale_by_op, float>(const ops::scale_by_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::sigmoid_op, float>(const ops::sigmoid_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::silu_op, float>(const ops::silu_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::softmax_op, float>(const ops::softmax_op::attributes&, operands);
template var<float> tape<cpu>::apply<ops::sum_op, float>(const ops::sum_op::attributes&, operands);

}  // namespace mor1e
