(** MSE with balanced classes: orthogonal frames without bias, simplex ETFs with a
    free bias, and the transition between them with a regularised bias
    (Tirer and Bruna, ICML 2022; Zhou et al., ICML 2022).

    f(W, H, b) = |W H + b 1^T - Y|^2 / (2N) + lw/2 |W|^2 + lh/2 |H|^2 + lb/2 |b|^2. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced Mse.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

(** (x)_+ = max (x, 0) and the value phi(c) = c - c^2/2 for c < 1, else 1/2. *)
Section Scalar.
Variable R : rcfType.
Definition pos (x : R) : R := Num.max x 0.
Definition phi (c : R) : R := if c < 1 then c - c ^+ 2 / 2%:R else 1 / 2%:R.
(** min (c, g), the slope of a mode of size g *)
Definition cap (c g : R) : R := if c < g then c else g.

Lemma pos_ge0 x : 0 <= pos x.
Proof. by rewrite /pos le_maxr lexx orbT. Qed.
Lemma pos_id x : 0 <= x -> pos x = x.
Proof. by move=> x0; rewrite /pos max_l. Qed.
Lemma pos_0 x : x <= 0 -> pos x = 0.
Proof. by move=> x0; rewrite /pos max_r. Qed.

Lemma cap_le c g : cap c g <= c.
Proof. by rewrite /cap; case: ltP. Qed.
Lemma cap_ge0 c g : 0 <= c -> 0 <= g -> 0 <= cap c g.
Proof. by rewrite /cap; case: ltP. Qed.
(** 1 - min(c, g)/g = (1 - c/g)_+ *)
Lemma cap_pos c g : 0 < g -> 1 - cap c g / g = pos (1 - c / g).
Proof.
move=> g0; rewrite /cap; case: ltP => cg.
  by rewrite pos_id // subr_ge0 ler_pdivr_mulr // mul1r ltW.
by rewrite mulfV ?gt_eqF // subrr pos_0 // subr_le0 ler_pdivl_mulr // mul1r.
Qed.
Lemma cap_slack c g : 0 < g -> pos (1 - c / g) = 0 \/ cap c g = c.
Proof.
move=> g0; rewrite /cap; case: ltP => cg; [by right|left].
by rewrite pos_0 // subr_le0 ler_pdivl_mulr // mul1r.
Qed.
Lemma phi_cap c : phi c = cap c 1 - cap c 1 ^+ 2 / 2%:R.
Proof. by rewrite /phi /cap; case: ltP => // _; field. Qed.
Lemma pos_cap1 c : pos (1 - c) = 1 - cap c 1.
Proof. by have := cap_pos c (@ltr01 R); rewrite !divr1. Qed.
Lemma slack1 c : pos (1 - c) = 0 \/ cap c 1 = c.
Proof. by have := cap_slack c (@ltr01 R); rewrite divr1. Qed.
End Scalar.

Section MseBalanced.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K0 : (0 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation t := (dual_scale n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation Hbar := (class_means lab n).
Local Notation mix := (mix K).
Local Notation f m := (ufm (mse Y) lw lh m).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

(** Within-class collapse, class means orthogonal and of equal norm, self-duality. *)
Definition orthogonal_frame_collapse (r : R) W H : Prop :=
  [/\ H = Hbar H *m Y, (Hbar H)^T *m Hbar H = r%:M & W = t *: (Hbar H)^T].
(** Within-class collapse, class means a simplex ETF, self-duality. *)
Definition simplex_etf_collapse (r : R) W H : Prop :=
  [/\ H = Hbar H *m Y, (Hbar H)^T *m Hbar H = r *: ctr K & W = t *: (Hbar H)^T].

Lemma frame_collapseE x W H :
  neural_collapse n lab lw lh x x W H <-> orthogonal_frame_collapse (rho * x) W H.
Proof.
by rewrite /neural_collapse /orthogonal_frame_collapse mix_scalar scale_scalar_mx.
Qed.
Lemma etf_collapseE x W H :
  neural_collapse n lab lw lh x 0 W H <-> simplex_etf_collapse (rho * x) W H.
Proof.
by rewrite /neural_collapse /simplex_etf_collapse mix_ctr scalerA.
Qed.

Let nR : 0 < n%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let c_ge0 : 0 <= c. Proof. exact: ltW. Qed.
Let K1 : 0 <= K%:R - 1 :> R. Proof. by rewrite subr_ge0 ler1n. Qed.

(** ** One dual certificate for the three bias modes
    Zs = (x P + y J/K) Y + beta_b J with x = 1 - alpha, y = 1 - beta - K beta_b. *)
Section AllModes.
Variables (m : bias_mode R) (alpha beta x y bb : R).
Hypotheses (a_ok : 0 <= alpha <= c) (b_ok : 0 <= beta <= c).
Hypotheses (x0 : 0 <= x) (y0 : 0 <= y).
Hypotheses (xa : x = 0 \/ alpha = c) (yb : y = 0 \/ beta = c).
Hypotheses (xE : x = 1 - alpha) (yE : y = 1 - beta - K%:R * bb).
Let bs : 'cV[R]_K := bb *: (ones K)^T.
Let Zs : 'M[R]_(K, N) := mix x y *m Y + bs *m ones N.
Let G := dual_matrix lab alpha beta.
Hypothesis bias_ok : bias_balanced m G bs.
Hypothesis y_free : m = FreeBias -> y = 0.
Hypothesis bs_none : bias_allowed m bs.

Let bsE : bs *m ones N = (K%:R * bb) *: (avg K *m Y).
Proof.
rewrite /bs avg_onehot -!scalemxAl scalerA; congr (_ *: _).
by field.
Qed.
Let ZsE : Zs = mix x (1 - beta) *m Y.
Proof.
rewrite /Zs bsE scalemxAl -mulmxDl; congr (_ *m _).
by rewrite /mix -addrA -scalerDl yE subrK.
Qed.
Let residual : Zs - Y = - (mix alpha beta *m Y).
Proof.
rewrite ZsE -[X in _ - X]mul1mx -mulmxBl -mix1 mixB xE.
by rewrite -mulNmx /mix opprD -!scaleNr; congr ((_ *: _ + _ *: _) *m _); ring.
Qed.
Let G_grad : G = mse_grad Y Zs.
Proof. by rewrite /mse_grad residual scalerN -scaleNr. Qed.

Lemma mse_certificate : certificate (mse Y) lw lh m Zs bs G.
Proof.
split=> //; first by rewrite G_grad; exact: mse_subgradient.
exact: (dual_matrix_op K0 n0 bal lw0 lh0 a_ok b_ok).
Qed.

Lemma mse_dual_value : dual_value (mse Y) m Zs bs G =
  ((K%:R - 1) * (alpha - alpha ^+ 2 / 2%:R) + (beta - beta ^+ 2 / 2%:R)) / K%:R
  - bias_weight m / 2%:R * (K%:R * bb ^+ 2).
Proof.
have q u v u' v' : frob (mix u v *m Y) (mix u' v' *m Y)
    = n%:R * (u * u' * (K%:R - 1) + v * v').
  rewrite frob_mull -mulmxA (balanced_gram R bal) mul_mx_scalar frobZr.
  by rewrite frob_def mix_tr mixM // tr_mix // .
rewrite /dual_value /mse residual sqFN /sqF q /G /dual_matrix frobZl ZsE q /bs.
rewrite frobZl frobZr frob_def onesT_norm NE xE.
by field; rewrite nN KN.
Qed.

Theorem mse_collapse_iff W H b : bias_allowed m b ->
  f m W H b = dual_value (mse Y) m Zs bs G <->
  neural_collapse n lab lw lh x y W H /\ b = bs.
Proof.
move=> ok; have cert := mse_certificate.
rewrite (collapse_iff lw0 lh0 cert W H ok).
rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 xa yb a_ok b_ok).
split=> [cz|[[e1 e2 e3] ->]]; last first.
  split=> //; last by rewrite subrr scaler0.
  by rewrite G_grad; apply/mse_bregman_eq0; rewrite // /logits e1.
have e_b : b = bs.
  case: (bias_determined lw0 lh0 cert ok cz) => // -[mf H1].
  case: cz; rewrite G_grad => /(mse_bregman_eq0 Y N0) e _ _ _.
  have := congr1 (mulmx^~ (ones N)^T) e.
  rewrite /logits /Zs (y_free mf) mix_ctr -!scalemxAl !mulmxDl -!scalemxAl.
  rewrite -!mulmxA H1 (balanced_ones R bal) -scalemxAr ctr_ones //.
  rewrite mulmx0 !scaler0 !add0r onesK !mul_mx_scalar scalerA mulrC -scalerA => /scalerI; apply.
  exact: NN.
case: cz => e1 e2 e3 _; split=> //; split=> //.
move: e1; rewrite G_grad => /(mse_bregman_eq0 Y N0).
by rewrite /logits e_b => /addIr.
Qed.

Theorem mse_lower W H b : bias_allowed m b ->
  dual_value (mse Y) m Zs bs G <= f m W H b.
Proof. by move=> ok; exact (collapse_lower lw0 lh0 mse_certificate W H ok). Qed.

Theorem mse_attained : (\rank (mix x y : 'M[R]_K) <= d)%N ->
  exists W H, f m W H bs = dual_value (mse Y) m Zs bs G.
Proof.
move=> rk; have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 x0 y0 rk.
by exists W, H; apply/mse_collapse_iff.
Qed.

Theorem mse_global_min W H b : (\rank (mix x y : 'M[R]_K) <= d)%N ->
  global_min (mse Y) lw lh m W H b <-> neural_collapse n lab lw lh x y W H /\ b = bs.
Proof.
move=> rk; have [W1 [H1 e1]] := mse_attained rk.
split=> [[ok mn]|[nc ->]].
  apply/(mse_collapse_iff _ _ ok)/eqP.
  by rewrite eq_le mse_lower // andbT -e1; exact: mn.
split=> // W' H' b' ok'; rewrite (mse_collapse_iff _ _ bs_none).2 //.
exact: mse_lower.
Qed.

(** f exceeds the value everywhere in dimensions below the rank. *)
Theorem mse_not_attained W H b : (d < \rank (mix x y : 'M[R]_K))%N -> bias_allowed m b ->
  dual_value (mse Y) m Zs bs G < f m W H b.
Proof.
move=> rk ok; rewrite lt_neqAle mse_lower // andbT eq_sym; apply/eqP.
move/(mse_collapse_iff _ _ ok) => [/(collapse_rank n0 lw0 lh0)].
by rewrite leqNgt rk.
Qed.
End AllModes.
End MseBalanced.
