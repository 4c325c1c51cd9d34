(** Losses bounded below by a function of one margin (Zhou et al., NeurIPS 2022):
    focal loss, cross-entropy and every decreasing function of the target probability.

    With margin_i = K/(K-1) <P e_{y_i}, z_i>, the target's logit minus the mean of the
    others, such a loss is at least (1/N) sum_i phi (margin_i), phi strictly decreasing,
    with equality exactly where the other logits of each sample are equal.  It need not
    be convex.  kap = (K-1) c / K.

    Without bias: for E = P Y D / sqrt n, D a diagonal of zeros and ones, ||E||_op <= 1,
    hence the regulariser is at least (kap/N) sum_{i: margin_i >= 0} margin_i, and f is at
    least the minimum over a >= 0 of phi a + kap a. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Balanced MseModes.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Margin.
Variables (R : rcfType) (K N : nat) (lab : 'I_N -> 'I_K).
Local Notation Y := (onehot R lab).

Definition margin (Z : 'M[R]_(K, N)) i : R := K%:R / (K%:R - 1) * (ctr K *m Z) (lab i) i.
(** P z_i = margin_i P e_{y_i} for every sample: the other logits are equal. *)
Definition others_equal (Z : 'M[R]_(K, N)) : Prop :=
  forall k i, (ctr K *m Z) k i = margin Z i * (ctr K *m Y) k i.

Record contrastive (L : 'M[R]_(K, N) -> R) (phi : R -> R) : Prop := Contrastive {
  margin_bound : forall Z, N%:R^-1 * (\sum_i phi (margin Z i)) <= L Z;
  margin_bound_eq : forall Z, L Z = N%:R^-1 * (\sum_i phi (margin Z i)) <-> others_equal Z;
  phi_decreasing : forall a b, a < b -> phi b < phi a }.
End Margin.

(** ||A D||_op <= ||A||_op for a diagonal D of zeros and ones. *)
Lemma op_sq_le_select (R : rcfType) k n (A : 'M[R]_(k, n)) m (s : 'I_n -> bool) :
  0 <= m -> op_sq_le A m -> op_sq_le (A *m diag_mx (\row_i (s i)%:R)) m.
Proof.
move=> m0 opA x; rewrite op_form subr_ge0 -mulmxA.
set D := diag_mx _; have Dt : D^T = D by exact: tr_diag_mx.
have -> : D *m x^T = (x *m D)^T by rewrite trmx_mul Dt.
apply: le_trans (op_sq_leP _ opA) _; apply: ler_wpmul2l => //.
rewrite /sqF !frobE; apply: ler_sum => i _; apply: ler_sum => j _.
rewrite mul_mx_diag !mxE; case: (s j); rewrite ?mulr1 // mulr0 mulr0.
exact: sqr_ge0.
Qed.

Section Bound.
Variables (R : rcfType) (K N n d : nat) (lab : 'I_N -> 'I_K) (lw lh : R).
Hypotheses (K2 : (1 < K)%N) (n0 : (0 < n)%N) (bal : balanced lab n).
Hypotheses (lw0 : 0 < lw) (lh0 : 0 < lh).
Variables (L : 'M[R]_(K, N) -> R) (phi : R -> R).
Hypothesis contr : contrastive lab L phi.
Local Notation Y := (onehot R lab).
Local Notation c := (reg_c K n lw lh).
Local Notation rho := (mean_scale n lw lh).
Local Notation margin := (margin lab).
Local Notation ETF := (simplex_etf_collapse n lab lw lh).
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K) (Z : 'M[R]_(K, N)).

(** The price of a margin. *)
Definition kap : R := (K%:R - 1) * c / K%:R.

Let K0 : (0 < K)%N. Proof. exact: ltnW. Qed.
Let KR : 0 < K%:R :> R. Proof. by rewrite ltr0n. Qed.
Let KN : K%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let nN : n%:R != 0 :> R. Proof. by rewrite pnatr_eq0 -lt0n. Qed.
Let K1 : 0 < K%:R - 1 :> R. Proof. by rewrite subr_gt0 ltr1n. Qed.
Let K1N : K%:R - 1 != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let NE : N%:R = K%:R * n%:R :> R := balanced_sizeR R bal.
Let N0 : (0 < N)%N. Proof. by rewrite (balanced_size bal) muln_gt0 K0. Qed.
Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let c0 : 0 < c. Proof. exact: reg_c_gt0. Qed.
Let c_ok : 0 <= c <= c. Proof. by rewrite lexx ltW. Qed.
Let z_ok : (0 : R) <= (0 : R) <= c. Proof. by rewrite lexx ltW. Qed.

Let PYE k i : (ctr K *m Y) k i = (k == lab i)%:R - K%:R^-1.
Proof. by rewrite mulmx_onehot ctrE. Qed.

(** <P Y D, Z> = (K-1)/K times the sum of the selected margins. *)
Lemma frob_margins Z (s : 'I_N -> R) :
  frob (ctr K *m Y *m diag_mx (\row_i s i)) Z
  = (K%:R - 1) / K%:R * \sum_i s i * margin Z i.
Proof.
rewrite -mulmxA frob_mulr ctr_tr frobEcol mulr_sumr; apply: eq_bigr => i _.
rewrite (bigD1 (lab i)) //= big1 => [|k kl].
  rewrite addr0 mul_mx_diag /margin; move: (ctr K *m Z) => PZ; rewrite !mxE eqxx.
  have q : (K%:R - 1) / K%:R * (K%:R / (K%:R - 1)) = 1 :> R by field; rewrite KN K1N.
  by rewrite mul1r [s i * (_ * _)]mulrCA [RHS]mulrA q mul1r.
by rewrite mul_mx_diag !mxE eq_sym (negbTE kl) !mul0r.
Qed.

Lemma margin_scaled a : forall i, margin (a *: (ctr K *m Y)) i = a.
Proof.
move=> i; rewrite /margin -scalemxAr mulmxA ctrM // mxE PYE eqxx.
by rewrite mulr1n; field; rewrite KN K1N.
Qed.
Lemma others_equal_scaled a : others_equal lab (a *: (ctr K *m Y)).
Proof.
by move=> k i; rewrite margin_scaled -scalemxAr mulmxA ctrM // mxE.
Qed.
Lemma loss_scaled a : L (a *: (ctr K *m Y)) = phi a.
Proof.
rewrite (margin_bound_eq contr _).2; last exact: others_equal_scaled.
under eq_bigr do rewrite margin_scaled.
by rewrite sumr_const card_ord -[X in _ * X]mulr_natl mulrA mulVf // mul1r.
Qed.

(** ** Without bias *)
Section NoBiasBound.
Variable v : R.
Hypothesis v_min : forall a, 0 <= a -> v <= phi a + kap * a.
Local Notation f := (fun W H => ufm L lw lh NoBias W H 0).

Let sel Z i := 0 <= margin Z i.
Let G Z : 'M[R]_(K, N) := dual_matrix lab c 0 *m diag_mx (\row_i (sel Z i)%:R).
Let GE Z : frob (G Z) Z = - (N%:R^-1 * \sum_i kap * ((sel Z i)%:R * margin Z i)).
Proof.
rewrite /G /dual_matrix mix_ctr -!scalemxAl frobZl frobZl frob_margins -mulr_sumr.
by rewrite /kap; field; rewrite NN KN.
Qed.
Let opG Z : op_sq_le (G Z) (lw * lh).
Proof.
apply: op_sq_le_select; first by rewrite mulr_ge0 // ltW.
exact: (dual_matrix_op K0 n0 bal lw0 lh0 c_ok z_ok).
Qed.
Let pay Z i : R := phi (margin Z i) + kap * ((sel Z i)%:R * margin Z i) - v.
Let pay_neg Z i : ~~ sel Z i -> 0 < pay Z i.
Proof.
rewrite /pay /sel => h; rewrite (negbTE h) mul0r mulr0 addr0 subr_gt0.
have a0 : margin Z i < 0 by rewrite ltNge.
by apply: le_lt_trans (phi_decreasing contr a0); have := v_min (lexx 0); rewrite mulr0 addr0.
Qed.
Let pay_ge0 Z i : 0 <= pay Z i.
Proof.
case: (boolP (sel Z i)) => h; last exact: ltW (pay_neg h).
by rewrite /pay h mul1r subr_ge0 v_min.
Qed.

Let gap W H : f W H - v
  = (L (W *m H) - N%:R^-1 * \sum_i phi (margin (W *m H) i))
    + (lw / 2%:R * sqF W + lh / 2%:R * sqF H + frob (G (W *m H)) (W *m H))
    + N%:R^-1 * \sum_i pay (W *m H) i.
Proof.
rewrite GE /ufm mul0mx addr0 sqF0 mulr0 addr0 /pay sumrB big_split /=.
rewrite sumr_const card_ord -(mulr_natl v N).
move: (\sum_i phi _) (\sum_i kap * _) (L _) (lw / _ * _) (lh / _ * _) => p q l x y.
by field.
Qed.
Let g1 Z : 0 <= L Z - N%:R^-1 * \sum_i phi (margin Z i).
Proof. by rewrite subr_ge0 (margin_bound contr). Qed.
Let g2 W H := regulariser_bound lw0 lh0 W H (opG (W *m H)).
Let g3 Z : 0 <= N%:R^-1 * \sum_i pay Z i.
Proof. by apply: mulr_ge0; [rewrite invr_ge0 ltW|apply: sumr_ge0]. Qed.

(** Any lower bound of phi a + kap a over a >= 0 is a lower bound of f, at every d. *)
Theorem contrastive_lower W H : v <= f W H.
Proof. by rewrite -subr_ge0 gap; exact: addr_ge0 (addr_ge0 (g1 _) (g2 _ _)) (g3 _). Qed.

(** At its common zeros H = Hbar Y, and Z = Q Y with Q symmetric: one margin for all. *)
Let one_margin W H : others_equal lab (W *m H) ->
  W = - lw^-1 *: (dual_matrix lab c 0 *m H^T) ->
  (lw * lh) *: H = H *m (dual_matrix lab c 0)^T *m dual_matrix lab c 0 ->
  exists a, W *m H = mix K a 0 *m Y.
Proof.
set D := dual_matrix lab c 0 => oe e2 e3.
have lwN : lw != 0 by rewrite gt_eqF.
have lhN : lh != 0 by rewrite gt_eqF.
have PD : ctr K *m D = D.
  by rewrite /D /dual_matrix mix_ctr -!scalemxAl -!scalemxAr mulmxA ctrM.
have PW : ctr K *m W = W by rewrite e2 -scalemxAr mulmxA PD.
have HE : H = - lh^-1 *: (W^T *m D).
  have -> : W^T = - lw^-1 *: (H *m D^T) by rewrite {1}e2 trmxZ trmx_mul trmxK.
  rewrite -scalemxAl -e3 !scalerA -[LHS]scale1r; congr (_ *: _).
  by field; rewrite lwN lhN.
pose Q := (lh^-1 * (c / N%:R)) *: (W *m W^T).
have QE : W *m H = Q *m Y.
  rewrite {1}HE /D /dual_matrix mix_ctr -!scalemxAl -!scalemxAr !scalerA /Q -!mulmxA.
  have -> : W^T *m (ctr K *m Y) = W^T *m Y.
    by rewrite mulmxA -{1}ctr_tr -trmx_mul PW.
  by congr (_ *: _); field; rewrite NN lhN.
have Qt : Q^T = Q by rewrite /Q trmxZ trmx_mul trmxK.
have PZ : ctr K *m (W *m H) = W *m H by rewrite mulmxA PW.
pose A l := K%:R / (K%:R - 1) * Q l l.
have QA k l : Q k l = A l * ctr K k l.
  have : (0 < #|[pred i | lab i == l]|)%N by rewrite -/(class_size lab l) bal.
  case/card_gt0P => i; rewrite inE => /eqP il.
  by have := oe k i; rewrite /Contrastive.margin PZ QE !mulmx_onehot il.
pose k0 : 'I_K := Ordinal K0.
have Ac k : A k = A k0.
  have [->//|kk] := eqVneq k k0.
  have := QA k k0; rewrite -{1}Qt mxE QA !ctrE eq_sym (negbTE kk) sub0r => /eqP.
  by rewrite (inj_eq (mulIf _)) ?oppr_eq0 ?invr_eq0 // => /eqP.
exists (A k0); rewrite QE mix_ctr; congr (_ *m _).
by apply/matrixP => k l; rewrite QA Ac [RHS]mxE.
Qed.

Let collapse_value W H a : 0 <= a -> phi a + kap * a = v ->
  neural_collapse n lab lw lh a 0 W H -> f W H = v.
Proof.
move=> a0 va.
have xa : a = 0 \/ c = c by right.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
rewrite -(common_zeros_iff K0 n0 bal lw0 lh0 xa yb c_ok z_ok) mix_ctr -scalemxAl.
case=> e1 e2 e3; have oe := others_equal_scaled a.
apply/eqP; rewrite -subr_eq0 gap.
have s1 i : sel (W *m H) i by rewrite /sel e1 margin_scaled.
have GD : G (W *m H) = dual_matrix lab c 0.
  rewrite /G (_ : \row_i _ = const_mx 1) ?diag_const_mx ?mulmx1 //.
  by apply/rowP => i; rewrite !mxE s1.
rewrite (regulariser_bound_eq lw0 lh0 W H (opG (W *m H))).2; last by rewrite GD.
rewrite e1 (margin_bound_eq contr _).2 // subrr !add0r big1 ?mulr0 // => i _.
by rewrite /pay /sel margin_scaled a0 mul1r va subrr.
Qed.

(** The bound is attained exactly at simplex ETFs whose margin attains the minimum. *)
Theorem contrastive_iff W H :
  f W H = v <-> exists a, [/\ 0 <= a, phi a + kap * a = v & ETF (rho * a) W H].
Proof.
split=> [eq|[a [a0 va nc]]]; last first.
  by apply: (collapse_value a0 va); apply/etf_collapseE.
have /esym/eqP := gap W H; rewrite eq subrr.
rewrite paddr_eq0 ?(addr_ge0 (g1 _) (g2 _ _)) // paddr_eq0 // -andbA.
case/and3P; rewrite subr_eq0 => /eqP /(margin_bound_eq contr) oe /eqP reg.
rewrite mulf_eq0 invr_eq0 (negbTE NN) /= psumr_eq0 // => /allP p0.
have pz i : pay (W *m H) i = 0 by apply/eqP; exact: (p0 i (mem_index_enum _)).
have s1 i : sel (W *m H) i.
  by apply/negPn/negP => /pay_neg; rewrite pz ltxx.
have GD : G (W *m H) = dual_matrix lab c 0.
  rewrite /G (_ : \row_i _ = const_mx 1) ?diag_const_mx ?mulmx1 //.
  by apply/rowP => i; rewrite !mxE s1.
move: reg => /(regulariser_bound_eq lw0 lh0 W H (opG (W *m H))); rewrite GD => -[e2 e3].
have [a e1] := one_margin oe e2 e3.
have ma i : margin (W *m H) i = a by rewrite e1 mix_ctr -scalemxAl margin_scaled.
pose i0 := Ordinal N0; exists a; split.
- by have := s1 i0; rewrite /sel ma.
- by have /eqP := pz i0; rewrite /pay s1 ma mul1r subr_eq0 => /eqP.
have xa : a = 0 \/ c = c by right.
have yb : (0 : R) = 0 \/ (0 : R) = c by left.
by apply/etf_collapseE/(common_zeros_iff K0 n0 bal lw0 lh0 xa yb c_ok z_ok).
Qed.

(** Attained for d >= K - 1 at every minimising margin (for any d at margin 0). *)
Theorem contrastive_attained a : 0 <= a -> phi a + kap * a = v -> (K.-1 <= d)%N \/ a = 0 ->
  exists W H, f W H = v /\ ETF (rho * a) W H.
Proof.
move=> a0 va dim; have rk : (\rank (mix K a 0 : 'M[R]_K) <= d)%N.
  have [->|aN] := eqVneq a 0; first by rewrite mix_ctr scale0r mxrank0.
  by case: dim => [|/eqP]; [rewrite rank_mix_ctr|rewrite (negbTE aN)].
have [W [H nc]] := collapse_exists K0 n0 bal lw0 lh0 a0 (lexx 0) rk.
by exists W, H; split; [exact: (collapse_value a0 va nc)|apply/etf_collapseE].
Qed.

(** The global minimisers are exactly the simplex ETFs at the minimising margins. *)
Theorem contrastive_minimisers a0 W H : 0 <= a0 -> phi a0 + kap * a0 = v ->
  (K.-1 <= d)%N \/ a0 = 0 ->
  global_min L lw lh NoBias W H 0 <->
  exists a, [/\ 0 <= a, phi a + kap * a = v & ETF (rho * a) W H].
Proof.
move=> a00 va dim; have [W1 [H1 [e1 _]]] := contrastive_attained a00 va dim.
rewrite -contrastive_iff; split=> [[_ mn]|eq].
  by apply/eqP; rewrite eq_le contrastive_lower andbT -e1; exact: mn.
by split=> // W' H' b' /= ->; rewrite eq; exact: contrastive_lower.
Qed.

(** Below K - 1 dimensions it is not attained, unless margin 0 attains the minimum. *)
Theorem contrastive_needs_dim W H : (d < K.-1)%N -> v < phi 0 -> v < f W H.
Proof.
move=> dK v0; rewrite lt_neqAle contrastive_lower andbT eq_sym; apply/eqP.
case/contrastive_iff => a [a0 va /etf_collapseE nc].
have ap : 0 < a.
  rewrite lt_def a0 andbT; apply/eqP => az; move: va v0.
  by rewrite az mulr0 addr0 => ->; rewrite ltxx.
by have := etf_dim K0 n0 lw0 lh0 ap nc; rewrite leqNgt dK.
Qed.
End NoBiasBound.
End Bound.
