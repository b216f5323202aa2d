/// FIFO of at least DEPTH words (DEPTH >= 2); takes one word and gives one word per cycle.
///
/// No combinational path between its two sides: in_ready_o, out_valid_o and out_data_o come from registers. DEPTH 2 is
/// two registers; deeper FIFOs are a RAM of DEPTH words, read ahead into its output register. TRACK counts, for
/// simulation, the most words ever held.
module penni_fifo #(
    parameter int unsigned WIDTH = 8,
    parameter int unsigned DEPTH = 2,
    parameter bit BLOCK = 1'b0,
    parameter bit TRACK = 1'b0
) (
    input  logic             clk_i,
    input  logic             rst_ni,
    input  logic             in_valid_i,
    output logic             in_ready_o,
    input  logic [WIDTH-1:0] in_data_i,
    output logic             out_valid_o,
    input  logic             out_ready_i,
    output logic [WIDTH-1:0] out_data_o
);
  logic push;
  assign push = in_valid_i && in_ready_o;

  if (DEPTH <= 2) begin : gen_pair
    logic front_valid_q, back_valid_q;
    logic [WIDTH-1:0] front_q, back_q;
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        front_valid_q <= 1'b0;
        back_valid_q  <= 1'b0;
      end else begin
        front_valid_q <= push || back_valid_q || (front_valid_q && !out_ready_i);
        back_valid_q  <= !out_ready_i && front_valid_q && (push || back_valid_q);
      end
    end
    always_ff @(posedge clk_i) begin
      if (out_ready_i || !front_valid_q) front_q <= back_valid_q ? back_q : in_data_i;
      if (!back_valid_q) back_q <= in_data_i;
    end
    assign in_ready_o  = !back_valid_q;
    assign out_valid_o = front_valid_q;
    assign out_data_o  = front_q;
  end else begin : gen_ram
    localparam int unsigned AW = $clog2(DEPTH);
    localparam int unsigned NW = $clog2(DEPTH + 1);
    logic [AW-1:0] head_q, tail_q;
    logic [NW-1:0] count_q;  // words in the RAM
    logic          fetch, space_q, any_q, out_valid_q;

    assign in_ready_o  = space_q;
    assign fetch       = any_q && (!out_valid_q || out_ready_i);
    assign out_valid_o = out_valid_q;

    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        head_q      <= '0;
        tail_q      <= '0;
        count_q     <= '0;
        space_q     <= 1'b1;
        any_q       <= 1'b0;
        out_valid_q <= 1'b0;
      end else begin
        if (push) tail_q <= (tail_q == AW'(DEPTH - 1)) ? '0 : tail_q + 1'b1;
        if (fetch) head_q <= (head_q == AW'(DEPTH - 1)) ? '0 : head_q + 1'b1;
        // What the count will say, as registers: it lies on no path to a port.
        if (push != fetch) begin
          count_q <= push ? count_q + 1'b1 : count_q - 1'b1;
          space_q <= fetch || count_q != NW'(DEPTH - 1);
          any_q   <= push || count_q != NW'(1);
        end
        out_valid_q <= fetch || (out_valid_q && !out_ready_i);
      end
    end

    penni_ram #(
        .WIDTH(WIDTH), .DEPTH(DEPTH), .AW(AW), .STYLE(32'(BLOCK))
    ) u_ram (
        .clk_i, .we_i(push), .waddr_i(tail_q), .wdata_i(in_data_i),
        .re_i(fetch), .raddr_i(head_q), .rdata_o(out_data_o)
    );
  end

  if (TRACK) begin : gen_track
    logic [31:0] held_q;
    logic [31:0] high_water_q;
    logic [31:0] taken_q;  // beats that left
    always_ff @(posedge clk_i) begin
      if (!rst_ni) begin
        held_q       <= '0;
        high_water_q <= '0;
        taken_q      <= '0;
      end else begin
        held_q <= held_q + 32'(push) - 32'(out_valid_o && out_ready_i);
        if (held_q > high_water_q) high_water_q <= held_q;
        if (out_valid_o && out_ready_i) taken_q <= taken_q + 1'b1;
      end
    end
  end
endmodule
