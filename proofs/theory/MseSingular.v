(** MSE with any class sizes, without bias or with a free one: the minimum
    soft-thresholds the singular values of the (centred) targets at N mu.

    The targets enter through any singular value decomposition Yc = U diag(s) V, with
    Yc = Y without bias and Yc = Y (I - 1^T 1 / N) with a free one.  With
    x_i = (s_i - N mu)_+ the minimum is sum_i [(s_i - x_i)^2/(2N) + mu x_i], attained at
    W H = U diag(x) V. *)
From mathcomp Require Import all_ssreflect all_algebra.
From mathcomp Require Import ring.
From UFM Require Import Frobenius Semidefinite CollapseIdentity Labels Mse MseModes.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Section Singular.
Variables (R : rcfType) (K N d r : nat) (Y : 'M[R]_(K, N)) (lw lh : R) (m : bias_mode R).
Hypotheses (N0 : (0 < N)%N) (lw0 : 0 < lw) (lh0 : 0 < lh).
Variables (bs : 'cV[R]_K) (U : 'M[R]_(K, r)) (s : 'rV[R]_r) (V : 'M[R]_(r, N)).
(** No bias, or a free bias at the mean target. *)
Hypothesis mode : (m = NoBias /\ bs = 0) \/ (m = FreeBias /\ bs = N%:R^-1 *: (Y *m (ones N)^T)).
Hypotheses (UU : U^T *m U = 1%:M) (VV : V *m V^T = 1%:M) (s0 : forall i, 0 <= s 0 i).
Hypothesis svd : Y - bs *m ones N = U *m diag_mx s *m V.
Implicit Types (W : 'M[R]_(K, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_K).

Let NR : 0 < N%:R :> R. Proof. by rewrite ltr0n. Qed.
Let NN : N%:R != 0 :> R. Proof. by rewrite gt_eqF. Qed.
Let mu : R := Num.sqrt (lw * lh).
Let mu0 : 0 < mu. Proof. by rewrite sqrtr_gt0 mulr_gt0. Qed.
Let mu2 : lw * lh = mu ^+ 2. Proof. by rewrite sqr_sqrtr // ltW // mulr_gt0. Qed.

(** x_i = (s_i - N mu)_+ *)
Definition thresholded : 'rV[R]_r := \row_i pos (s 0 i - N%:R * Num.sqrt (lw * lh)).
Local Notation x := thresholded.
Definition threshold_value : R :=
  \sum_i ((s 0 i - x 0 i) ^+ 2 / (2%:R * N%:R) + Num.sqrt (lw * lh) * x 0 i).
(** the slopes min(s_i, N mu)/N of the dual matrix *)
Let g : 'rV[R]_r := N%:R^-1 *: (s - x).

Let A : 'M[R]_(K, N) := U *m diag_mx x *m V.
Let Zs : 'M[R]_(K, N) := A + bs *m ones N.
Let G : 'M[R]_(K, N) := - (U *m diag_mx g *m V).

Let xE i : x 0 i = pos (s 0 i - N%:R * mu). Proof. by rewrite mxE. Qed.
Let x0 i : 0 <= x 0 i. Proof. by rewrite xE pos_ge0. Qed.
Let gE i : g 0 i = (s 0 i - x 0 i) / N%:R. Proof. by rewrite [LHS]mxE [(s - x) 0 i]mxE [(- x) 0 i]mxE mulrC. Qed.
Let g_case i : (x 0 i = 0 /\ 0 <= g 0 i <= mu) \/ g 0 i = mu.
Proof.
rewrite gE xE; case: (lerP (s 0 i) (N%:R * mu)) => h.
  left; rewrite pos_0 ?subr_le0 // subr0; split=> //.
  by apply/andP; split; [rewrite divr_ge0 // ltW|rewrite ler_pdivr_mulr // mulrC].
by right; rewrite pos_id ?subr_ge0 ?ltW // opprB addrC subrK mulrC mulKf.
Qed.
Let gx i : g 0 i * x 0 i = mu * x 0 i.
Proof. by case: (g_case i) => [[-> _]|->]; rewrite ?mulr0. Qed.
Let g_le i : g 0 i ^+ 2 <= mu ^+ 2.
Proof.
case: (g_case i) => [[_ /andP[g0 g1]]|->] //.
by rewrite ler_pexpn2r // nnegrE // ltW.
Qed.
Let diagM (a b : 'rV[R]_r) : diag_mx a *m diag_mx b = diag_mx (\row_i (a 0 i * b 0 i)).
Proof. by rewrite mulmx_diag; congr diag_mx; apply/rowP => i; rewrite !mxE. Qed.

Let G_grad : G = mse_grad Y Zs.
Proof.
rewrite /mse_grad; have -> : Zs - Y = A - U *m diag_mx s *m V by rewrite -svd opprB addrA.
rewrite /G /A -mulmxBl -mulmxBr scalemxAl scalemxAr -mulNmx -mulmxN.
by congr (_ *m _ *m _); rewrite /g linearZ raddfB /= -scalerN opprB.
Qed.

Let opG : op_sq_le G (lw * lh).
Proof.
move=> y; rewrite op_form subr_ge0 mu2 /G mulNmx sqFN.
have isoU p (B : 'M[R]_(r, p)) : sqF (U *m B) = sqF B.
  by rewrite /sqF frob_mulr mulmxA UU mul1mx.
have opV : op_sq_le V 1.
  by apply: (op_sq_le_proj ler01 (trmx1 _ _) (mul1mx _)); rewrite VV scale1r.
rewrite -!mulmxA isoU; apply: le_trans (_ : _ <= mu ^+ 2 * sqF (V *m y^T)) _.
  rewrite /sqF !frobE mulr_sumr; apply: ler_sum => i _; rewrite mulr_sumr.
  apply: ler_sum => j _; rewrite mul_diag_mx mxE -!expr2 exprMn.
  by apply: ler_wpmul2r; [exact: sqr_ge0|exact: g_le].
apply: ler_wpmul2l; first exact: sqr_ge0.
by have := op_sq_leP y opV; rewrite mul1r.
Qed.

Let balG : bias_balanced m G bs.
Proof.
case: mode => [[-> ->]|[-> bE]] //=.
have e : (U *m diag_mx s *m V) *m (ones N)^T = 0.
  rewrite -svd mulmxBl bE -!mulmxA onesK mul_mx_scalar scalerA.
  by rewrite mulfV // scale1r subrr.
have e1 : diag_mx s *m (V *m (ones N)^T) = 0.
  have := congr1 (mulmx U^T) e; rewrite -!mulmxA mulmxA UU mul1mx mulmx0; exact.
rewrite /G mulNmx -!mulmxA (_ : diag_mx g *m _ = 0) ?mulmx0 ?oppr0 //.
apply/matrixP => i j; rewrite mul_diag_mx [LHS]mxE [RHS]mxE.
have := congr1 (fun B : 'M[R]_(r, 1) => B i j) e1.
rewrite /= mul_diag_mx [LHS]mxE [RHS]mxE => /eqP; rewrite mulf_eq0 => /orP[/eqP si|/eqP ->].
  rewrite gE xE si pos_0; last by rewrite sub0r oppr_le0 mulr_ge0 // ltW.
  by rewrite subrr !mul0r.
by rewrite mulr0.
Qed.

Lemma singular_certificate : certificate (mse Y) lw lh m Zs bs G.
Proof. by split=> //; rewrite G_grad; exact: mse_subgradient. Qed.
Let cert := singular_certificate.

Let inner (a b : 'rV[R]_r) : frob (U *m diag_mx a *m V) (U *m diag_mx b *m V) = \sum_i a 0 i * b 0 i.
Proof.
rewrite frob_mull -!mulmxA VV mulmx1 frob_mulr mulmxA UU mul1mx frob_def tr_diag_mx diagM.
by rewrite mxtrace_diag; apply: eq_bigr => i _; rewrite mxE.
Qed.
Lemma singular_dual_value : dual_value (mse Y) m Zs bs G = threshold_value.
Proof.
have -> : dual_value (mse Y) m Zs bs G = mse Y Zs - frob G A.
  rewrite dual_valueE // /Zs addrK; case: mode => [[-> ->]|[-> _]] /=.
    by rewrite sqF0 mulr0 addr0.
  by rewrite !mul0r addr0.
have -> : mse Y Zs = (2%:R * N%:R)^-1 * \sum_i (s 0 i - x 0 i) * (s 0 i - x 0 i).
  have -> : mse Y Zs = (2%:R * N%:R)^-1 * sqF (U *m diag_mx (s - x) *m V).
    rewrite /mse; congr (_ * _).
    have -> : Zs - Y = A - U *m diag_mx s *m V by rewrite -svd opprB addrA.
    by rewrite -sqFN opprB /A -mulmxBl -mulmxBr -raddfB.
  by rewrite /sqF inner; congr (_ * _); apply: eq_bigr => i _; rewrite [(s - x) 0 i]mxE [(- x) 0 i]mxE.
rewrite /G frobNl opprK inner /threshold_value big_split /= mulr_sumr.
congr (_ + _); apply: eq_bigr => i _; last exact: gx.
by rewrite -expr2 mulrC.
Qed.

(** Lower bound at every d ... *)
Theorem mse_singular_lower W H b : bias_allowed m b ->
  threshold_value <= ufm (mse Y) lw lh m W H b.
Proof. by move=> ok; rewrite -singular_dual_value; exact: (collapse_lower lw0 lh0 cert W H ok). Qed.

(** ... attained exactly where the fit, the alignment and the range conditions hold ... *)
Theorem mse_singular_iff W H b : bias_allowed m b ->
  ufm (mse Y) lw lh m W H b = threshold_value <->
  [/\ W *m H + b *m ones N = U *m diag_mx thresholded *m V + bs *m ones N,
      W = - lw^-1 *: (mse_grad Y (W *m H + b *m ones N) *m H^T)
    & lh *: H = - (W^T *m mse_grad Y (W *m H + b *m ones N))].
Proof.
move=> ok; rewrite -singular_dual_value (collapse_iff lw0 lh0 cert W H ok).
have lwN : lw != 0 by rewrite gt_eqF.
have lb0 : bias_weight m = 0 by case: mode => [[-> _]|[-> _]].
rewrite /collapsed lb0 scale0r G_grad.
have sub (W' : 'M[R]_(K, d)) (H' : 'M[R]_(d, N)) (G' : 'M[R]_(K, N)) : W' = - lw^-1 *: (G' *m H'^T) ->
    (lw * lh) *: H' = H' *m G'^T *m G' <-> lh *: H' = - (W'^T *m G').
  move=> e; have eT : H' *m G'^T = - lw *: W'^T.
    rewrite e trmxZ trmx_mul trmxK scalerA -[LHS]scale1r; congr (_ *: _).
    by field.
  rewrite eT -scalemxAl -scalerA; rewrite scaleNr -scalerN.
  by split=> [/(scalerI lwN)|->].
split=> [[/(mse_bregman_eq0 Y N0) e1 e2 e3 _]|[e1 e2 e3]].
  have e : W *m H + b *m ones N = Zs by exact: e1.
  by split=> //; rewrite e //; apply/(sub _ _ _ e2).
rewrite e1 in e2 e3; split=> //; first by apply/(mse_bregman_eq0 Y N0).
by apply/(sub _ _ _ e2).
Qed.

(** ... and attained as soon as d is at least the number of surviving singular values. *)
Theorem mse_singular_attained : (\rank (diag_mx thresholded) <= d)%N ->
  exists W H, ufm (mse Y) lw lh m W H bs = threshold_value.
Proof.
move=> rk; rewrite -singular_dual_value.
apply: (collapse_attained lw0 lh0 cert).
- have -> : Zs - bs *m ones N = A by rewrite /Zs addrK.
  have GA : G^T *m A = - (V^T *m diag_mx (\row_i (g 0 i * x 0 i)) *m V).
    rewrite /G /A trmxN mulNmx !trmx_mul tr_diag_mx -!mulmxA; congr (- (_ *m _)).
    by rewrite (mulmxA U^T) UU mul1mx mulmxA diagM.
  split.
  - by rewrite GA trmxN !trmx_mul trmxK tr_diag_mx mulmxA.
  - rewrite GA opprK; apply: psd_congr => v.
    rewrite frobE; apply: sumr_ge0 => i _; apply: sumr_ge0 => j _.
    rewrite mul_mx_diag mxE [X in _ * X * _]mxE gx mulrAC -expr2.
    by rewrite mulr_ge0 ?sqr_ge0 // mulr_ge0 // ltW.
  rewrite -mulmxA GA /G mulNmx mulmxN opprK -!mulmxA (mulmxA V) VV mul1mx.
  have gg : diag_mx g *m diag_mx (\row_i (g 0 i * x 0 i)) = mu ^+ 2 *: diag_mx x.
    rewrite diagM -linearZ; congr diag_mx; apply/rowP => i.
    by rewrite [LHS]mxE [X in _ * X]mxE [RHS]mxE gx mulrCA gx mulrA expr2.
  by rewrite (mulmxA (diag_mx g)) gg /A mu2 -scalemxAl -scalemxAr mulmxA.
- have -> : Zs - bs *m ones N = A by rewrite /Zs addrK.
  by apply: leq_trans rk; apply: leq_trans (mxrankM_maxl _ _) (mxrankM_maxr _ _).
by case: mode => [[-> ->]|[-> _]].
Qed.
End Singular.
