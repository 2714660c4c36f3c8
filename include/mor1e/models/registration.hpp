// A program's own decoders among those of the library.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mor1e/models/language_model.hpp"
#include "mor1e/models/loader.hpp"

namespace mor1e::models {

/// A decoder M for the device B and the element type T that `load` can make:
///   static std::vector<std::string> model_types()     those of config.json that it is
///   static std::unique_ptr<M> make(loader<B, T>)      from the loader's source and tensors; throws `io_error`
template <class M>
concept LoadableDecoder = requires {
  M::model_types();
};

namespace detail {

template <class B, class T>
struct decoder_maker {
  std::vector<std::string> types;
  std::unique_ptr<language_model<B, T>> (*make)(loader<B, T>);

  bool makes(std::string_view type) const {
    for (const std::string& known : types)
      if (known == type) return true;
    return false;
  }
};
/// Of a program, in the order in which they were registered.
template <class B, class T>
std::vector<decoder_maker<B, T>>& decoder_makers() {
  static std::vector<decoder_maker<B, T>> all;
  return all;
}
template <class M, class B, class T>
decoder_maker<B, T> maker_of() {
  return {M::model_types(),
          [](loader<B, T> from) -> std::unique_ptr<language_model<B, T>> { return M::make(std::move(from)); }};
}

}  // namespace detail

/// Makes Model<B, T> known to `load`. One object at namespace scope:
/// `const mor1e::models::registered_decoder<my_model, cpu, float> known;`
template <template <class, class> class Model, class B, class T>
requires LoadableDecoder<Model<B, T>>
struct registered_decoder {
  registered_decoder() { detail::decoder_makers<B, T>().push_back(detail::maker_of<Model<B, T>, B, T>()); }
};

}  // namespace mor1e::models
