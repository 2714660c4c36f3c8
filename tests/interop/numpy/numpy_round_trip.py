#!/usr/bin/env python3
"""Arrays there and back: .npy files and DLPack, our side against NumPy itself, bit for bit."""
import ctypes
import io
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np

BUILD = Path(os.environ["MOR1E_BUILD"]) / "tests"
LIBRARY = BUILD / "libdlpack_arrays.so"
TYPES = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
SHAPES = [(), (0,), (1,), (7,), (3, 5), (0, 4), (4, 0), (2, 3, 4), (2, 3, 1, 5)]
scratch = tempfile.TemporaryDirectory()
here = Path(scratch.name)


def values(shape, kind, order="C"):
    """Random bits of that type: NaN, infinities and denormals among the floats."""
    count = int(np.prod(shape, dtype=int))
    raw = np.random.default_rng(count).integers(0, 256, count * np.dtype(kind).itemsize, dtype=np.uint8)
    if kind == "?":
        raw &= 1
    return np.asarray(raw.view(kind).reshape(shape), order=order)


def copied(save):
    """What our copy of the file that `save` writes holds."""
    with open(here / "a.npy", "wb") as file:
        save(file)
    subprocess.run([BUILD / "npy_copy", here / "a.npy", here / "b.npy"], check=True)
    return np.load(here / "b.npy", allow_pickle=False)


class Files(unittest.TestCase):
    def check(self, array, got):
        wanted = array.astype("f4") if array.dtype == "f2" else array
        self.assertEqual(got.dtype, wanted.dtype)
        self.assertEqual(got.shape, wanted.shape)
        if array.dtype == "f2":  # of a NaN, the sign and the payload are the processor's to choose
            np.testing.assert_array_equal(got, wanted)
        else:
            self.assertEqual(got.tobytes(), wanted.tobytes())

    def test_every_type_shape_and_order(self):
        for kind in TYPES:
            for shape in SHAPES:
                for order in "CF":
                    with self.subTest(kind=kind, shape=shape, order=order):
                        array = values(shape, kind, order)
                        self.check(array, copied(lambda file: np.save(file, array)))

    def test_every_version(self):
        array = values((3, 5), "f4")
        for version in ((1, 0), (2, 0), (3, 0)):
            self.check(array, copied(lambda file: np.lib.format.write_array(file, array, version)))

    def test_the_header_is_the_one_of_numpy(self):
        """Its dictionary; NumPy leaves more room behind it, for an array that grows."""
        copied(lambda file: np.save(file, values((3, 5), "f4")))

        def header(file):
            with open(here / file, "rb") as content:
                np.lib.format.read_magic(content)
                length = int.from_bytes(content.read(2), "little")
                return content.read(length).rstrip()
        self.assertEqual(header("a.npy"), header("b.npy"))

    def test_what_is_refused(self):
        for array in (np.zeros(2, ">f4"), np.zeros(2, "c8"), np.zeros(2, "U3"), np.zeros(2, [("x", "f4")]),
                      np.zeros(2, object), np.zeros((1,) * 5, "f4")):
            np.save(here / "a.npy", array, allow_pickle=True)
            ran = subprocess.run([BUILD / "npy_copy", here / "a.npy", here / "b.npy"], capture_output=True, text=True)
            self.assertEqual(ran.returncode, 1, array.dtype)
            self.assertEqual(ran.stderr.count("\n"), 1)
            self.assertTrue(ran.stderr.startswith(f"{here}/a.npy: header: "), ran.stderr)


@unittest.skipUnless(LIBRARY.exists(), "dlpack.h was not found when the tests were built")
class DLPack(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ours = ctypes.CDLL(str(LIBRARY))
        cls.ours.made_by_us.restype = ctypes.c_void_p
        cls.ours.taken_by_us.argtypes = [ctypes.c_void_p, ctypes.POINTER(ctypes.c_double)]
        cls.python = ctypes.pythonapi
        cls.python.PyCapsule_New.restype = ctypes.py_object
        cls.python.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
        cls.python.PyCapsule_GetPointer.restype = ctypes.c_void_p
        cls.python.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
        cls.python.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]

    def test_numpy_takes_an_array_of_ours_and_gives_it_back(self):
        ours, python = self.ours, self.python

        class Exporter:
            def __dlpack_device__(self):
                return 1, 0

            def __dlpack__(self, **_):
                return python.PyCapsule_New(ours.made_by_us(), b"dltensor", None)

        array = np.from_dlpack(Exporter())
        np.testing.assert_array_equal(array, np.arange(24, dtype="f4").reshape(2, 3, 4))
        self.assertEqual(array.dtype, np.dtype("f4"))
        before = ours.times_given_back()
        del array
        self.assertEqual(ours.times_given_back(), before + 1)

    def taken(self, array):
        """(-1 refused, 0 copied, 1 in place; the sum) of an array of NumPy that we take."""
        capsule = array.__dlpack__()
        pointer = self.python.PyCapsule_GetPointer(capsule, b"dltensor")
        self.python.PyCapsule_SetName(capsule, b"used_dltensor")
        total = ctypes.c_double()
        how = self.ours.taken_by_us(pointer, ctypes.byref(total))
        return how, total.value

    def test_we_take_an_array_of_numpy(self):
        whole = np.arange(60, dtype="f8").reshape(3, 4, 5)
        for array, how in ((whole, 1), (whole[1], 1), (whole[:, 1], 1), (whole[1, :, 1:3], 1), (whole[0, ::2], 1),
                           (whole[:, 1:3], 0), (whole.transpose(), 0), (whole[0, :, ::2], 0), (whole[:, ::-1], 0),
                           (whole[:0], 1), (whole[1, 1, 1:2], 1)):
            flat = array.reshape(-1)
            self.assertEqual(self.taken(array), (how, float(flat @ np.arange(flat.size))))
        self.assertEqual(self.taken(whole.astype("f4"))[0], -1)
        self.assertEqual(self.taken(whole.astype("i8"))[0], -1)


if __name__ == "__main__":
    unittest.main()
