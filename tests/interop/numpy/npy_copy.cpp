// npy_copy FROM TO: reads a .npy file and writes what it read, float16 as float32.
#include <cstdio>

#include "mor1e/io/npy.hpp"

using namespace mor1e;

int main(int, char** arguments) {
  try {
    const io::npy_file from(arguments[1]);
    const auto copy = [&]<class T>(T) { io::write_npy(arguments[2], from.read<T>()); };
    switch (from.type()) {
      case dtype::f64: copy(double()); break;
      case dtype::f32:
      case dtype::f16: copy(float()); break;
      case dtype::i64: copy(std::int64_t()); break;
      case dtype::i32: copy(std::int32_t()); break;
      case dtype::i16: copy(std::int16_t()); break;
      case dtype::i8: copy(std::int8_t()); break;
      case dtype::u64: copy(std::uint64_t()); break;
      case dtype::u32: copy(std::uint32_t()); break;
      case dtype::u16: copy(std::uint16_t()); break;
      case dtype::u8: copy(std::uint8_t()); break;
      case dtype::boolean: copy(bool()); break;
      default: return 2;
    }
  } catch (const error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
