// Runs an instruction that x86-64 did not begin with.
int main() { __asm__ volatile("vpaddd %%ymm0, %%ymm0, %%ymm0" ::: "memory"); }
