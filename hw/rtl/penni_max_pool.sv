/// y[p, c] = max over the KH x KW window at p*STRIDE - PAD of x[., c]; positions outside the map do not count.
///
/// Beats, latency and handshake: see penni_window_pool.
module penni_max_pool #(
    parameter int unsigned H = 4,
    parameter int unsigned W = 4,
    parameter int unsigned C = 2,
    parameter int unsigned HO = 2,
    parameter int unsigned WO = 2,
    parameter int unsigned KH = 2,
    parameter int unsigned KW = 2,
    parameter int unsigned STRIDE_H = 2,
    parameter int unsigned STRIDE_W = 2,
    parameter int unsigned PAD_TOP = 0,
    parameter int unsigned PAD_LEFT = 0,
    parameter int unsigned ROWS = 4,
    parameter int unsigned COLUMNS = 4,
    parameter int unsigned XW = 8,
    parameter bit X_SIGNED = 1'b0,
    parameter bit ROW_BLOCK = 1'b0,
    parameter bit COLUMN_BLOCK = 1'b0
) (
    input  logic          clk_i,
    input  logic          rst_ni,
    input  logic          in_valid_i,
    output logic          in_ready_o,
    input  logic [XW-1:0] in_data_i,
    output logic          out_valid_o,
    input  logic          out_ready_i,
    output logic [XW-1:0] out_data_o
);
  penni_window_pool #(
      .H(H), .W(W), .C(C), .HO(HO), .WO(WO), .KH(KH), .KW(KW), .STRIDE_H(STRIDE_H), .STRIDE_W(STRIDE_W),
      .PAD_TOP(PAD_TOP), .PAD_LEFT(PAD_LEFT), .ROWS(ROWS), .COLUMNS(COLUMNS),
      .XW(XW), .X_SIGNED(X_SIGNED), .ROW_BLOCK(ROW_BLOCK), .COLUMN_BLOCK(COLUMN_BLOCK),
      .SUM(1'b0), .RW(XW), .YW(XW)
  ) u_pool (
      .clk_i, .rst_ni, .in_valid_i, .in_ready_o, .in_data_i, .out_valid_o, .out_ready_i, .out_data_o
  );
endmodule
