// What a program that trains includes.
#include "mor1e/mor1e.hpp"
#include "mor1e/train/run.hpp"

int main() {}
