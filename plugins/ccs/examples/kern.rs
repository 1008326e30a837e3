fn main() {
    flow_ccs::simulate::bench_kernel();
}
